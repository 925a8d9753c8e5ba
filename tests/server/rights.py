"""An authorizer whose rights a test writes into a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.auth.authorizer import Authorizer

if TYPE_CHECKING:
    from jupyter_server.auth.identity import User
    from jupyter_server.base.handlers import JupyterHandler

VARIABLE = "PSL_TEST_RIGHTS"


class Written(Authorizer):
    """Allows on our routes what the file names, and everything elsewhere."""

    def is_authorized(
        self,
        handler: JupyterHandler,
        user: User,
        action: str,
        resource: str,
    ) -> bool:
        """Look the action up."""
        rights = Path(os.environ[VARIABLE]).read_text(encoding="utf-8").split()
        return resource != "promptstudio" or action in rights
