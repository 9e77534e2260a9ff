"""Activations of statements: python scripts/extract.py --statements=... --out=a.npz."""

from personascan.commands.extract import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
