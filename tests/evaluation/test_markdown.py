from __future__ import annotations

from ssagan_tf.evaluation import markdown


def test_a_table_has_its_columns_whatever_names_hold() -> None:
    lines = markdown.table(["system", "clips"], [["a|b", 3]])
    assert lines == ["| system | clips |", "| --- | ---: |", "| a&#124;b | 3 |"]
