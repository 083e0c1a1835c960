"""A plugin for pytest: prints which requirements the collected tests claim, "claim: ID TEST" each."""


def pytest_collection_finish(session):
    for item in session.items:
        for marker in item.iter_markers("req"):
            for name in marker.args:
                print(f"claim: {name} {item.nodeid.split('[')[0]}")
