from pylon_core.exit_codes import ExitCode


def test_exit_codes_are_the_contracts() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "ERROR": 1,
        "USAGE": 64,
        "UNAVAILABLE": 69,
    }
