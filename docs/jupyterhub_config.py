"""JupyterHub for the analysts of one office; what stands where is told by docs/jupyterhub.md."""

from __future__ import annotations

from traitlets.config import get_config

c = get_config()

# Only nginx reaches the hub; nobody reaches the hub's own interface from another machine.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"
c.JupyterHub.db_url = "sqlite:////var/lib/jupyterhub/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/var/lib/jupyterhub/cookie_secret"  # made at the first start, mode 600
c.ConfigurableHTTPProxy.pid_file = "/var/lib/jupyterhub/proxy.pid"

# Accounts of the machine, of one group; nobody administers the others' servers, and nobody has two.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"huanjie-analyst"}
c.Authenticator.allow_all = False
c.Authenticator.admin_users = set()
c.JupyterHub.admin_access = False
c.JupyterHub.allow_named_servers = False
c.JupyterHub.shutdown_on_logout = True
c.JupyterHub.cookie_max_age_days = 0.5

# Each analyst's server runs as his own account, with the workbench's Python, in a folder of his own.
c.Spawner.cmd = ["/opt/huanjie/.venv/bin/jupyterhub-singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.notebook_dir = "~/huanjie"
c.Spawner.umask = 0o077
c.Spawner.args = [
    "--ServerApp.allow_remote_access=False",
    "--ServerApp.terminals_enabled=True",
    "--ServerApp.shutdown_no_activity_timeout=7200",
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_interval=300",
    "--ContentsManager.allow_hidden=False",
]
c.Spawner.env_keep = ["LANG", "LC_ALL", "TZ"]
c.JupyterHub.concurrent_spawn_limit = 4
c.JupyterHub.active_server_limit = 12
