"""Run a study from a recipe, or go on with it: python scripts/study.py --config=configs/demo.py.

Any field is overridden with --config.x=...; the same command goes on with a study that was ended.
"""

from personascan.commands.study import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
