"""Files of conversations, traits and roles, small enough for a test."""

import json

QUESTIONS = ["What is for lunch?", "Where do you walk?", "Who calls today?"]
ANSWER = "Soup, and a walk behind it."
JUDGE = "How loud is this? {question} {answer} A number from 0 to 100."
TRAIT = {
    "instruction": [
        {"pos": "Speak at the top of your voice.", "neg": "Speak in a whisper."},
        {"pos": "Shout every word.", "neg": "Murmur every word."},
    ],
    "questions": QUESTIONS,
    "eval_prompt": JUDGE,
}
ROLE = {"instruction": [{"pos": "You are a baker."}, {"pos": "You sell bread."}]}
DEFAULT = {"instruction": [{"pos": ""}, {"pos": "You are {model_name}."}]}


def written(path, content):
    """Writes an object, or rows one a line, or text and bytes as they are."""
    if isinstance(content, list):
        content = "\n".join(json.dumps(row) for row in content)
    elif isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def row(side="+", text="What is for lunch?", answer=ANSWER, **more):
    """A row of messages; a side of None is none."""
    messages = [{"role": "user", "content": text}]
    if answer:
        messages.append({"role": "assistant", "content": answer})
    return {"messages": messages} | ({} if side is None else {"label": side}) | more


def both(**more):
    """Two rows, one a side."""
    return [row("+", **more), row("-", **more)]


def scored(*scores, side="+"):
    return [row(side, id=f"{side}{n}", score=s) for n, s in enumerate(scores)]
