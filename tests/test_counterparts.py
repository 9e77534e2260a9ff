"""Statements with counterparts in like words on the other side, which name no pairs."""

import personascan


def test_counterparts_in_like_words_are_named_in_a_note(capsys):
    rows = [
        {"text": f"I {verb} {what}", "direction": side}
        for what in ("red doors of houses", "blue windows at sea", "old tins with beans", "shops")
        for verb, side in (("open", "+"), ("shut", "-"))
    ]
    personascan.load_statements(rows)
    assert "4 of 4 positive statements have a counterpart" in capsys.readouterr().err
    personascan.load_statements([row | {"pair": row["text"][6:]} for row in rows])
    alike = [
        {"text": f"I like {thing} and more of it {i}", "direction": side}
        for i in range(4)
        for thing, side in (("wine", "+"), ("the sea where one swims all day long", "-"))
    ]
    personascan.load_statements(alike)  # those of a side are as like one another
    assert "counterpart" not in capsys.readouterr().err
