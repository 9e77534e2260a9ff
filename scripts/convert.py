"""A checkpoint of .bin files as safetensors: python scripts/convert.py --model=... --out=..."""

from personascan.commands.convert import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
