"""JupyterLab's back end: every route is authenticated and authorised."""
