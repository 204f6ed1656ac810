"""Runs the tests of one client against one server."""

import sys
import unittest

from server import Stoa

# A PNG of one red point.
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


def run(base, kinds, models):
    """The exit status. `base` is given the server as `stoa`; the last line is `N passed, M failed, K skipped`."""
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(kind) for kind in kinds)
    base.stoa = Stoa(models)
    try:
        result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
        if not result.wasSuccessful():
            print("the server's log:", "".join(base.stoa.log[-40:]), sep="\n", file=sys.stderr)
    finally:
        base.stoa.stop()
    # A test with several failed parts is one failed test; a class that is skipped counts as each of its tests.
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    passed = max(result.testsRun - failed - skipped, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
