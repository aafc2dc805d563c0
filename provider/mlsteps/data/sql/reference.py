"""SqlDataReference: a table, a query or a stored procedure of a database, as data that exists already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from mlsteps.data.names import is_text
from mlsteps.data.reference import DataReference
from mlsteps.data.sql.parameter import StoredProcedureParameter
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datastore import Datastore
    from mlsteps.data.sql.statement import Procedure, Query


class _NoFileError(UserErrorException, NotImplementedError):
    """Something that only files have was asked of a reference to SQL; SDK v1 raised NotImplementedError."""


class SqlDataReference(DataReference):
    """Rows of a SQL datastore: exactly one of a table, a query and a stored procedure.

    A declaration: nothing is opened. It is a source of a DataTransferStep, and with ``sql_table`` also a
    destination; a script cannot mount or download it.

    :param datastore: A SQL datastore.
    :param data_reference_name: The port's name: letters, digits, underscores. Default: the datastore's name.
    :param sql_table: ``table`` or ``schema.table``, as the database spells it; a part that holds a dot
        stands in double quotes, brackets or backticks.
    :param sql_query: A query that returns rows, in the database's own SQL.
    :param sql_stored_procedure: ``procedure`` or ``schema.procedure``, spelled as a table is.
    :param sql_stored_procedure_params: Its parameters, StoredProcedureParameter; MySQL takes them by
        position, the others by name.
    :raises UserErrorException: none or several of the three, or one of them is malformed.

    (SDK v1: ``azureml.data.sql_data_reference.SqlDataReference``.)
    """

    def __init__(
        self,
        datastore: Datastore,
        data_reference_name: str | None = None,
        sql_table: str | None = None,
        sql_query: str | None = None,
        sql_stored_procedure: str | None = None,
        sql_stored_procedure_params: Sequence[StoredProcedureParameter] | None = None,
    ) -> None:
        super().__init__(datastore, data_reference_name)
        given = {
            "sql_table": sql_table,
            "sql_query": sql_query,
            "sql_stored_procedure": sql_stored_procedure,
        }
        set_ones = [name for name, value in given.items() if value is not None]
        if len(set_ones) != 1:
            raise self._refuse(
                f"give exactly one of {', '.join(given)}; got {' and '.join(set_ones) or 'none of them'}."
            )
        chosen = set_ones[0]
        text = given[chosen]
        if not is_text(text) or not str(text).strip():
            raise self._refuse(f"{chosen} must be a text that is not empty, got {text!r}.")
        if sql_stored_procedure_params is not None and sql_stored_procedure is None:
            raise self._refuse("sql_stored_procedure_params is given without sql_stored_procedure.")
        self.sql_table = sql_table
        self.sql_query = sql_query
        self.sql_stored_procedure = sql_stored_procedure
        self.sql_stored_procedure_params = self._checked_parameters(sql_stored_procedure_params)
        if chosen != "sql_query":
            TableName.parse(str(text), f"SqlDataReference {self.name!r}: {chosen}")

    def __repr__(self) -> str:
        what = self.sql_table or self.sql_stored_procedure or self.sql_query
        return f"SqlDataReference({self.data_reference_name!r}, {what!r})"

    def source(self) -> TableName | Query | Procedure:
        """What to read, as :class:`~mlsteps.data.sql.SqlStore` takes it."""
        from mlsteps.data.sql.statement import Procedure, Query

        if self.sql_table is not None:
            return TableName.parse(self.sql_table, "sql_table")
        if self.sql_query is not None:
            return Query(self.sql_query)
        name = TableName.parse(self.sql_stored_procedure or "", "sql_stored_procedure")
        return Procedure(name, tuple(self.sql_stored_procedure_params or ()))

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> NoReturn:
        """Not for SQL. :raises UserErrorException: always."""
        raise self._no_file("has no path below it")

    def as_mount(self) -> NoReturn:
        """Not for SQL. :raises UserErrorException: always."""
        raise self._no_file("cannot be mounted")

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> NoReturn:
        """Not for SQL. :raises UserErrorException: always."""
        raise self._no_file("cannot be downloaded")

    def as_upload(self, path_on_compute: str | None = None, overwrite: bool = False) -> NoReturn:
        """Not for SQL. :raises UserErrorException: always."""
        raise self._no_file("cannot be uploaded to")

    def _checked_parameters(self, given: object) -> list[StoredProcedureParameter] | None:
        if given is None:
            return None
        if not isinstance(given, (list, tuple)):
            raise self._refuse(f"sql_stored_procedure_params must be a list, got {type(given).__name__}.")
        seen: set[str] = set()
        for parameter in given:
            if not isinstance(parameter, StoredProcedureParameter):
                raise self._refuse(
                    f"sql_stored_procedure_params holds {parameter!r}; each must be a "
                    f"StoredProcedureParameter(name, value, type)."
                )
            name = parameter.name.lstrip("@").lower()
            if name in seen:
                raise self._refuse(f"sql_stored_procedure_params holds {parameter.name!r} twice.")
            seen.add(name)
        return list(given)

    def _refuse(self, problem: str) -> UserErrorException:
        return UserErrorException(f"SqlDataReference {self.data_reference_name!r}: {problem}")

    def _no_file(self, problem: str) -> _NoFileError:
        return _NoFileError(
            f"SqlDataReference {self.data_reference_name!r} {problem}: it is rows of a database. "
            f"Copy them to files with a DataTransferStep, and give the script its output."
        )
