"""References to SQL, the names and parameters in them: all checked where a DAG file is parsed."""

from __future__ import annotations

import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any

import pytest

from mlsteps import DataReference, Datastore, SqlDataReference, Workspace
from mlsteps.data.sql import Procedure, Query, StoredProcedureParameter, TableName
from mlsteps.data.sql import StoredProcedureParameterType as Type
from mlsteps.exceptions import UserErrorException


@pytest.fixture
def sales(workspace: Workspace) -> Datastore:
    return Datastore(workspace, "sales")  # which the workspace does not have


def test_a_reference_is_one_of_three(sales: Datastore) -> None:
    table = SqlDataReference(sales, "in", sql_table="dbo.prices")
    assert (table.sql_table, table.name, table.source()) == ("dbo.prices", "in", TableName("prices", "dbo"))
    assert isinstance(table, DataReference)
    assert SqlDataReference(sales, sql_query="SELECT 1").source() == Query("SELECT 1")
    parameter = StoredProcedureParameter("n", 1)
    procedure = SqlDataReference(
        sales, sql_stored_procedure="report", sql_stored_procedure_params=[parameter]
    )
    assert procedure.source() == Procedure(TableName("report"), (parameter,))
    assert SqlDataReference(sales, sql_query="SELECT 1").name == "sales"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "exactly one of sql_table, sql_query, sql_stored_procedure; got none of them"),
        ({"sql_table": "t", "sql_query": "q"}, "got sql_table and sql_query"),
        ({"sql_query": " "}, "sql_query must be a text that is not empty"),
        ({"sql_table": 3}, "sql_table must be a text"),
        ({"sql_table": "a.b.c"}, "sql_table 'a.b.c' is not a name or schema.name"),
        ({"sql_table": "t", "sql_stored_procedure_params": []}, "without sql_stored_procedure"),
        ({"sql_stored_procedure": "p", "sql_stored_procedure_params": "x"}, "must be a list, got str"),
        ({"sql_stored_procedure": "p", "sql_stored_procedure_params": [{"n": 1}]}, "each must be a Stored"),
        (
            {
                "sql_stored_procedure": "p",
                "sql_stored_procedure_params": [
                    StoredProcedureParameter("n", 1),
                    StoredProcedureParameter("@N", 2),
                ],
            },
            "holds '@N' twice",
        ),
    ],
)
def test_what_is_wrong_is_named(sales: Datastore, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserErrorException) as error:
        SqlDataReference(sales, "in", **arguments)
    assert str(error.value).startswith("SqlDataReference 'in': ")
    assert problem in str(error.value)


@pytest.mark.parametrize("verb", ["path", "as_mount", "as_download", "as_upload"])
def test_it_has_no_files(sales: Datastore, verb: str) -> None:
    with pytest.raises(UserErrorException, match="Copy them to files with a DataTransferStep") as error:
        getattr(SqlDataReference(sales, sql_table="t"), verb)()
    assert isinstance(error.value, NotImplementedError)  # as SDK v1 has it


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("prices", None, "prices"),
        ("sales.prices", "sales", "prices"),
        ('"my sales"."a.b"', "my sales", "a.b"),
        ("[dbo].[a]]b]", "dbo", "a]b"),
        ("`x`.`y``z`", "x", "y`z"),
        ('dbo."say ""hi"""', "dbo", 'say "hi"'),
        ("x; DROP TABLE t", None, "x; DROP TABLE t"),
    ],
)
def test_names_are_taken_apart(text: str, schema: str | None, name: str) -> None:
    assert TableName.parse(text) == TableName(name, schema)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", 'a"b', "[a", '""', "a\0b", " "])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(UserErrorException, match="table"):
        TableName.parse(text)


@pytest.mark.parametrize(
    ("value", "kind", "bound"),
    [
        ("x", None, "x"),
        ("x", Type.String, "x"),
        ("5", Type.Int, 5),
        (5, "Int", 5),
        ("0.10", Type.Decimal, Decimal("0.10")),
        (0.1, Type.Decimal, Decimal("0.1")),
        ("False", Type.Boolean, False),
        (1, Type.Boolean, True),
        (uuid.UUID(int=1), Type.Guid, "00000000-0000-0000-0000-000000000001"),
        (uuid.UUID(int=1), None, "00000000-0000-0000-0000-000000000001"),
        (None, Type.Int, None),
    ],
)
def test_parameters_have_values_of_their_type(value: object, kind: Any, bound: object) -> None:
    found = StoredProcedureParameter("n", value, kind).bound_value()
    assert found == bound and type(found) is type(bound)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", Type.Int),
        (True, Type.Int),
        (1.5, Type.Int),
        ("NaN", Type.Decimal),
        ("x", Type.Decimal),
        (5, Type.String),
        ("maybe", Type.Boolean),
        ("x", Type.Guid),
        ("31.1.2024", Type.Date),
        (["x"], None),
    ],
)
def test_values_of_another_type_are_refused(value: object, kind: Any) -> None:
    with pytest.raises(UserErrorException, match=r"StoredProcedureParameter 'n': the value .* is not a "):
        StoredProcedureParameter("n", value, kind)


def test_names_of_parameters_are_words() -> None:
    assert StoredProcedureParameter("@name_1", 1).name == "@name_1"
    for name in ("a b", "a'", "1a", "", "a;", "@", "a=1"):
        with pytest.raises(UserErrorException, match="name .* is not valid"):
            StoredProcedureParameter(name, 1)
    with pytest.raises(UserErrorException, match="type 'Text' is not one of .*String, Int"):
        StoredProcedureParameter("n", 1, "Text")


def test_a_declaration_loads_no_database_library() -> None:
    code = (
        "import sys; from mlsteps import SqlDataReference;"
        "print(sorted({'pyarrow', 'sqlalchemy', 'pandas', 'airflow'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
