"""Fields of GGUF files: the keys of a config.json with the same meaning, and the allowed values."""

# general.architecture -> model_type.
MODEL_TYPES = {
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "qwen3moe": "qwen3_moe",
    "granite": "granite",
    "granitemoe": "granitemoe",
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "phi2": "phi",
    "phi3": "phi3",
    "olmo2": "olmo2",
    "olmoe": "olmoe",
    "smollm3": "smollm3",
    "gpt2": "gpt2",
    "gptneox": "gpt_neox",
    "command-r": "cohere",
    "cohere2": "cohere2",
    "glm4": "glm4",
    "stablelm": "stablelm",
    "starcoder2": "starcoder2",
    "falcon": "falcon",
}
KEYS = {
    "vocab_size": "vocab_size",
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "context_length": "max_position_embeddings",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.layer_norm_epsilon": "layer_norm_eps",
    "attention.sliding_window": "sliding_window",
    "attention.scale": "attention_multiplier",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logit_scale",
    "rope.freq_base": "rope_theta",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "use_parallel_residual": "use_parallel_residual",
    "rope.freq_base_swa": "rope_local_base_freq",
    "attention.sliding_window_pattern": "sliding_window_pattern",
}
# Keys that an architecture names differently.
OWN_KEYS = {
    "gpt2": {
        "embedding_length": "n_embd", "block_count": "n_layer", "attention.head_count": "n_head",
        "context_length": "n_positions", "feed_forward_length": "n_inner",
        "attention.layer_norm_epsilon": "layer_norm_epsilon", "attention.head_count_kv": None,
    },
    "gpt_neox": {"attention.head_count_kv": None, "rope.freq_base": "rotary_emb_base"},
    "falcon": {
        "attention.head_count_kv": "num_kv_heads", "feed_forward_length": "ffn_hidden_size",
        "attention.layer_norm_epsilon": "layer_norm_epsilon",
    },
    "starcoder2": {"attention.layer_norm_epsilon": "norm_epsilon"},
    "granite": {"logit_scale": "logits_scaling"},
    "granitemoe": {"logit_scale": "logits_scaling"},
    "olmoe": {"expert_count": "num_experts"},
    "qwen3_moe": {"expert_count": "num_experts"},
}  # fmt: skip
# Fields that `rope_scaling` reads, or that no forward pass of a decoder needs.
OTHERWISE_READ = {
    "pooling_type",  # how a text's vector is made from its last hidden states
    "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor",
    "rope.scaling.original_context_length", "rope.scaling.attn_factor", "rope.scaling.finetuned",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "tensor_data_layout",
}  # fmt: skip
# Fields that must have the value of another one.
SAME = {
    "attention.value_length": "attention.key_length",
    "attention.key_length_swa": "attention.key_length",
    "attention.value_length_swa": "attention.key_length",
    "rope.dimension_count_swa": "rope.dimension_count",
    "embedding_length_out": "embedding_length",
}
# Fields that have no effect, or the only one supported, at these values.
ONLY = {
    "attention.causal": (True,),
    "rope.scaling.yarn_ext_factor": (1.0, -1.0),  # -1: decided by the type of scaling
    "rope.scaling.yarn_attn_factor": (1.0,),
    "rope.scaling.yarn_log_multiplier": (0.0,),
    "rope.scaling.alpha": (0.0,),
    "attention.clamp_kqv": (0.0,),
    "attention.max_alibi_bias": (0.0,),
    "attention.temperature_length": (0,),
    "attention.temperature_scale": (0.0,),
    "attention.output_scale": (0.0, 1.0),
    "attention.q_lora_rank": (0,),
    "attention.kv_lora_rank": (0,),
    "attention.shared_kv_layers": (0,),
    "router_logit_softcapping": (0.0,),
    "expert_weights_scale": (0.0, 1.0),
    "expert_gating_func": (0, 1),  # not given, or softmax
    "expert_shared_count": (0,),
    "expert_shared_feed_forward_length": (0,),
    "expert_group_count": (0, 1),
    "expert_group_used_count": (0, 1),
    "leading_dense_block_count": (0,),
    "nextn_predict_layers": (0,),
    "n_deepstack_layers": (0,),
    "embedding_length_per_layer_input": (0,),
}
# The same for fields that only some architectures read, in the others.
OFF = {
    "attention.sliding_window": (0,),
    "attention.scale": (0.0,),
    "attn_logit_softcapping": (0.0,),
    "final_logit_softcapping": (0.0,),
    "embedding_scale": (0.0, 1.0),
    "residual_scale": (0.0, 1.0),
    "logit_scale": (0.0, 1.0),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "expert_feed_forward_length": (0,),
}
SCALES = ("embedding_scale", "residual_scale", "logit_scale")  # 0: none is applied
# Keys that the architecture fixes and the files omit.
FIXED = {
    "gemma": {"hidden_act": "gelu_pytorch_tanh"},
    "phi": {"hidden_act": "gelu_new"},
    "qwen3_moe": {"norm_topk_prob": True},
    "olmoe": {"norm_topk_prob": False},
    "gpt_neox": {"hidden_act": "gelu"},
}
