"""Assertions of the shared tests say what differed, as those of a test module do."""

import pytest

pytest.register_assert_rewrite("data.stores.contract")
