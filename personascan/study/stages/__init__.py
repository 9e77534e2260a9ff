"""A file for each kind of unit of a study; `order.STAGES` lists them.

In every file `work` returns a unit with all that decides it, `do` is its function, and `STAGE` is
the record that running, status, dry run, results and tables use. `case` is a `case.Case`, `level` a
`case.Level`, `part` a `results.Part`; `portion` is "all", "A" or "B": all rows of a comparison, or
one of its halves.
"""
