"""A model beside Transformers on torch: python scripts/verify.py --model=SOURCE."""

from personascan.commands.verify import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
