"""The commands of `personascan`: a module for each, imported only when it is asked for.

A command's flags are defined where its module is imported. Its module begins with the import of
`personascan.command`, which answers signals, and has `start(argv)`, which runs it.
"""

COMMANDS = {
    "study": "Run a study from a recipe, or go on with one.",
    "report": "Make a study's page again, or set studies side by side.",
    "extract": "Write the activations of statements into a file or folder.",
    "locate": "Test at which places two labelled sides differ.",
    "scan": "Find the rows and nodes that stand out from a background.",
    "steer": "Write texts with a model that is pushed along a direction.",
    "monitor": "Watch a conversation, turn by turn, with what a study found.",
    "verify": "Compare a model with Transformers on torch, layer by layer.",
    "convert": "Turn a checkpoint of .bin files into safetensors.",
    "bench": "Measure this package (in a checkout only).",
}
