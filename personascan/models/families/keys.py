"""A foreign configuration, read strictly: a key that is not handled is refused by name.

The Transformers class of the model_type supplies the defaults and turns old spellings into the
new one. A key that a family reads is handled; every other key of the file must be neutral.
"""

import copy
import dataclasses
import functools
import warnings
from contextlib import contextmanager

from personascan.errors import InputError
from personascan.models.families.training import is_training_key

# Keys that no forward pass of ours reads, besides those of training.py: settings of files and of
# other programs.
NEUTRAL = {
    "_attn_implementation_autoset", "bos_token_id", "classifier_activation", "eos_token_id",
    "finetuning_task", "is_llama_config", "max_sequence_length", "n_ctx",
    "num_labels", "pad_token_id", "prefix", "sep_token_id", "task_specific_params",
    "tokenizer_class", "torch_dtype", "transformers.js_config", "unk_token_id", "unsloth_fixed",
    "unsloth_version", "use_cache",
    # Products are sliced, and stay the same.
    "pretraining_tp",
    # Keys of the base class in earlier versions of Transformers.
    "is_decoder", "tf_legacy_loss", "torchscript", "use_bfloat16", "tie_encoder_decoder",
    "cross_attention_hidden_size", "output_past", "eos_token_ids",
}  # fmt: skip
# Keys of the base class that mean another network unless they are empty.
OTHER_NETWORK = {
    "is_encoder_decoder", "add_cross_attention", "pruned_heads", "quantization_config",
    "transformers_weights", "auto_map", "tie_word_embeddings",
}  # fmt: skip
# Old spellings, which the Transformers class turns into the key on the right.
SPELLINGS = {
    "layer_types": {
        "sliding_window_pattern", "_sliding_window_pattern", "max_window_layers",
        "use_sliding_window", "no_rope_layer_interval",
    },
    "rope_parameters": {
        "rope_theta", "rope_scaling", "partial_rotary_factor", "rotary_pct", "rotary_emb_base",
        "rope_local_base_freq", "original_max_position_embeddings",
    },
}  # fmt: skip
MOST_LAYERS = 10_000
ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}


class Settings:
    """A checkpoint's configuration; attributes are its keys, and reading one handles it."""

    def __init__(self, raw: dict, where: str):
        self.where, self._raw, self._read = where, raw, set()
        for key in ("num_hidden_layers", "n_layer", "n_layers"):
            # Checked before anything is made for every layer.
            if isinstance(raw.get(key), int) and raw[key] > MOST_LAYERS:
                raise InputError(f"{where}: {key} = {raw[key]} is more than {MOST_LAYERS} layers")
        self._hf = transformers_config(raw, where)
        self._alias = dict(getattr(self._hf, "attribute_map", {}))

    def __getattr__(self, key: str):
        self._read |= {key, self._alias.get(key, key)}
        self._read |= {old for old in SPELLINGS.get(key, ()) if self._was_converted(old)}
        try:
            return getattr(self._hf, key)
        except AttributeError as error:
            raise InputError(f"{self.where}: the key {key!r} is missing") from error

    def _was_converted(self, old: str) -> bool:
        """Returns whether the Transformers class of this family knows and used an old spelling."""
        declared = old in {field.name for field in dataclasses.fields(self._hf)}
        if old == "sliding_window_pattern" and not declared and old in self._raw:
            kinds = enumerate(self._hf.layer_types, 1)
            return all((k == "full_attention") == (i % self._raw[old] == 0) for i, k in kinds)
        # Used, though still an attribute; the last only repeats layer_types.
        remaining = ("partial_rotary_factor", "rope_scaling", "_sliding_window_pattern")
        return declared or old in remaining or not hasattr(self._hf, old)

    def optional(self, key: str):
        """Returns the value of a key, or None if the family lacks it."""
        self._read.add(key)
        return getattr(self._hf, key, None)

    def size(self, key: str, required: bool = True) -> int:
        """Returns a positive whole number; InputError if it is none, or required and missing."""
        if required and key not in self._raw and self._alias.get(key, key) not in self._raw:
            raise InputError(f"{self.where}: the key {key!r} is missing; the file is not complete")
        value = getattr(self, key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
            raise InputError(f"{self.where}: {key} = {value!r} is not a positive whole number")
        return value

    def only(self, key: str, *allowed) -> None:
        """Raises InputError if a key has a value, and it is none of those that are allowed."""
        value = self._raw.get(key)
        self._read.add(key)
        if value is not None and value not in allowed:
            listed = f" (only {' or '.join(repr(a) for a in allowed)})" if allowed else ""
            raise InputError(
                f"{self.where}: {key} = {value!r} is not supported{listed}; "
                "use a checkpoint without it"
            )

    def activation_of(self, key: str) -> str:
        """Returns our name of an activation. Raises InputError for one that is not supported."""
        value = self.__getattr__(key)
        if value not in ACTIVATIONS:
            raise InputError(
                f"{self.where}: {key} = {value!r} is not supported; "
                f"supported: {', '.join(ACTIVATIONS)}"
            )
        return ACTIVATIONS[value]

    def ignore(self, *keys: str) -> None:
        """Marks keys that this family's forward pass does not use as read."""
        self._read |= set(keys)

    def refuse_unread(self) -> None:
        """Raises InputError that names a key of the file that is neither read nor neutral."""
        for key, value in self._raw.items():
            if key not in self._read and not self._is_neutral(key, value):
                raise InputError(
                    f"{self.where}: the key {key!r} (= {value!r}) is not handled by personascan"
                )

    def _is_neutral(self, key: str, value) -> bool:
        """Returns whether a key cannot reach the forward pass, or has no effect on it."""
        if value is None or (key in OTHER_NETWORK and not value) or is_training_key(key):
            return True
        if key in OTHER_NETWORK:
            return False
        # The families were verified with the defaults of the keys that they do not read.
        defaults = class_defaults(type(self._hf))
        if key in defaults:
            return key in NEUTRAL | general_keys() or value == defaults[key]
        private = key.startswith("_") and key.lstrip("_") not in defaults
        return key in NEUTRAL | general_keys() or private


@functools.cache
def general_keys() -> frozenset[str]:
    """Returns the keys of every configuration of Transformers, and those of generation."""
    from transformers import GenerationConfig, PreTrainedConfig

    return frozenset(PreTrainedConfig().to_dict()) | frozenset(GenerationConfig().to_dict())


@functools.cache
def class_defaults(cls) -> dict:
    """Returns the keys that a configuration class declares, with their defaults."""
    with silent_transformers():
        return cls().to_dict()


def config_class_keys(model_type: str) -> set[str]:
    """Returns the keys, and other names of them, of a model_type's configuration class."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    cls = CONFIG_MAPPING[model_type]
    return {*class_defaults(cls), *cls.attribute_map}


def transformers_config(raw: dict, where: str):
    """Returns the Transformers configuration of a parsed config.json, without any warning."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        with silent_transformers():
            return CONFIG_MAPPING[raw["model_type"]].from_dict(copy.deepcopy(raw))
    except Exception as error:
        # Its strict classes raise a different exception for each mistake.
        reason = " ".join(str(error).split())
        raise InputError(f"{where} is not a valid configuration ({reason})") from error


@contextmanager
def silent_transformers():
    """Silences the advice that Transformers logs, and warns of, on keys that we check ourselves."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
