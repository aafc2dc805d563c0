"""What waits in Airflow's triggerer for work that goes on elsewhere, while no worker is taken."""
