"""The HTTP door: the API, durable ingest, the live stream and the page, on a house that is handed in.

:func:`~stathouse.web.app.create_app` builds the application on a :class:`~stathouse.web.ports.HouseView`,
:func:`~stathouse.web.serve.run_server` serves it on bound sockets. Both need the ``serve`` extra, so they are imported
from their modules and not from here.
"""

__all__: list[str] = []
