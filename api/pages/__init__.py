"""The operators' pages: ``router`` for the web application, which sets ``app.state.day_source`` (see ``source``)."""

from api.pages.routes import router

__all__ = ["router"]
