"""Telling whether a step changed. No Airflow here."""
