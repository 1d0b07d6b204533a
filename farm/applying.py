"""Carrying a plan out: each step journalled before and after it acts, neighbours of one name on all hosts at once.

    running --(all steps before the decision done)--> decided --(the others done)--> deployed
       |                                                 |
       +--(a fault)--> cancelled: started services       +--(a fault)--> tried again; then it stays `running`, and the next deployment
                       and staged files are gone               rolls it forward

A cancel leaves the database as it is: upgrades only add, so the old release still fits.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from typing import TYPE_CHECKING

from lowcode_kernel.farm.hosts import HostLost
from lowcode_kernel.farm.lease import TTL, hold_lease
from lowcode_kernel.farm.metadata import LeaseLost, open_metadata
from lowcode_kernel.farm.resuming import settle
from lowcode_kernel.farm.steps import HOST_ACTIONS, OWN_ACTIONS, UNDO, Work, redact
from lowcode_kernel.plan import Progress
from lowcode_kernel.problems import LowcodeError, Problem

if TYPE_CHECKING:
    pass
