"""Steer a model along what a study found: python scripts/steer.py --study=out/demo ..."""

from personascan.commands.steer import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
