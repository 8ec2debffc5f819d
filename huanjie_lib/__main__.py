"""Run the command line with ``python -m huanjie_lib``."""

from huanjie_lib.cli import main

raise SystemExit(main())
