"""What SDK v1's datasets have and ours do not, with what to use instead."""

from __future__ import annotations

_INSTEAD = {
    "as_cache": "a step's inputs are cached by the compute target",
    "hydrate": "there is no cache to fill",
    "data_changed_time": "the manifest of a step's input says what changed",
    "get_profile": "use to_pandas_dataframe().describe(include='all')",
    "get_profile_runs": "use to_pandas_dataframe().describe(include='all')",
    "submit_profile_run": "use to_pandas_dataframe().describe(include='all')",
    "to_dask_dataframe": "use to_parquet_files() and dask.dataframe.read_parquet on the downloaded files",
    "to_spark_dataframe": "read the files with Spark itself, in a DatabricksStep",
    "definition_version": "use version",
    "get_definition": "use definition",
    "get_definitions": "use Dataset.get_by_name(workspace, name, version)",
    "update_definition": "register another definition with create_new_version=True",
    "archive": "use unregister_all_versions()",
    "deprecate": "use unregister_all_versions(), or say it in a tag",
    "head": "use take(count).to_pandas_dataframe()",
    "sample": "use take_sample(probability)",
    "generate_profile": "use to_pandas_dataframe().describe(include='all')",
    "create_snapshot": "a registered version keeps the definition; the result of a step keeps the data",
}
_OF_OTHERS = {
    "FileDataset": {
        "to_pandas_dataframe": "its files are of any kind; use Dataset.Tabular.from_delimited_files(...)",
        "keep_columns": "files have no columns; use Dataset.Tabular",
        "drop_columns": "files have no columns; use Dataset.Tabular",
    },
    "TabularDataset": {
        "as_mount": "rows have no path: use as_named_input(name), or to_csv_files().as_mount()",
        "as_download": "rows have no path: use as_named_input(name), or to_csv_files().as_download()",
        "to_path": "rows have no path; use to_csv_files().to_path()",
        "download": "rows have no path; use to_csv_files().download(...)",
        "mount": "rows have no path; use to_csv_files().mount()",
    },
}


def missing_attribute(owner: str, name: str) -> AttributeError:
    """The error for ``owner`` having no attribute ``name``."""
    instead = _OF_OTHERS.get(owner, {}).get(name) or _INSTEAD.get(name)
    return AttributeError(f"{owner} has no attribute {name!r}" + (f": {instead}" if instead else ""))
