"""What a script and its launcher say to each other: one folder, named by one environment variable.

::

    $MLSTEPS_RUN_DIRECTORY/
        context.json     written by the launcher before the script starts, never changed (see ``context.py``)
        journal.jsonl    written by the script, one event a line, append-only (see ``journal.py``)
        uploads/         files the script uploaded; an ``upload`` event names each one that is complete

Every event is a JSON object with ``event`` (one of the kinds below), ``time`` (UTC, ISO 8601) and ``target``:
whose event it is. ``self`` is the step's run, ``parent`` the pipeline run, anything else the id of a child
run. The further keys of each kind (a trailing ``?`` marks a key that may be absent):

============  ================================================================================================
``metric``    ``name``, ``kind`` (see ``MetricKind``), ``value``, ``description``?, ``step``?
``tag``       ``tags``: {key: text or null}
``untag``     ``keys``: [key]
``property``  ``properties``: {key: text}; a key that already has a value keeps it
``describe``  ``display_name``? and ``description``?: the last one counts
``upload``    ``name`` (of the run file, posix), ``path`` (below the run directory), ``size``, ``datastore``?
``model``     ``name``, ``path`` (a run file or a folder of them), ``version`` (expected), ``tags``,
              ``properties``, ``description``, ``framework``, ``framework_version``, ``datasets``,
              ``sample_input_dataset``, ``sample_output_dataset``, ``resource_configuration``
``status``    ``status`` (``Completed`` or ``Failed``), ``details``?, ``code``?; ``lifecycle.py`` reads these
``cancel``    none. ``self``: the step counts as canceled, ``parent``: later steps must not start
``child``     ``child`` (its id), ``name``, ``tags``: ``target`` started a child run
============  ================================================================================================

Run files are the uploads plus what lies below ``./outputs`` and ``./logs`` of the working directory when the
step ends. Where an upload and a file there have the same name, the upload counts.

Numbers that JSON lacks travel as ``{"$float": "nan" | "inf" | "-inf"}``, in both files; see ``values.py``.
"""

from __future__ import annotations

from typing import Any

RUN_DIRECTORY_VARIABLE = "MLSTEPS_RUN_DIRECTORY"
CONTEXT_FILE = "context.json"
JOURNAL_FILE = "journal.jsonl"
UPLOADS_FOLDER = "uploads"
CONTEXT_VERSION = 1

# Where there is no launcher: the widget, or with "--" the argument, that names the folder by a URL.
RUN_PLACE = "mlsteps_run"

# The property of context.json under which a launcher may name the address of the run's page.
PORTAL_URL_PROPERTY = "mlsteps.portal_url"

SELF = "self"
PARENT = "parent"

Event = dict[str, Any]


class EventKind:
    """The values of an event's ``event`` key."""

    METRIC = "metric"
    TAG = "tag"
    UNTAG = "untag"
    PROPERTY = "property"
    DESCRIBE = "describe"
    UPLOAD = "upload"
    MODEL = "model"
    STATUS = "status"
    CANCEL = "cancel"
    CHILD = "child"


class MetricKind:
    """The values of a metric event's ``kind`` key, and what its ``value`` then is."""

    SCALAR = "scalar"  # number, text, bool or null
    LIST = "list"  # list of scalars
    ROW = "row"  # {column: scalar}
    TABLE = "table"  # {column: list of scalars}, all of one length
    IMAGE = "image"  # the name of the run file
    CONFUSION_MATRIX = "confusion_matrix"  # this and the following: the object given
    ACCURACY_TABLE = "accuracy_table"
    RESIDUALS = "residuals"
    PREDICTIONS = "predictions"


class RunStatus:
    """The words of SDK v1's ``Run.get_status`` that a run can know of itself while its script runs."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCEL_REQUESTED = "CancelRequested"
    CANCELED = "Canceled"


class RunType:
    """The words of SDK v1's ``Run.type``."""

    STEP = "azureml.StepRun"
    PIPELINE = "azureml.PipelineRun"
    CHILD = "azureml.scriptrun"
