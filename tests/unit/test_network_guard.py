from __future__ import annotations

import socket

import pytest

ABROAD = [("192.0.2.1", 443), ("8.8.8.8", 53), ("0.0.0.0", 443), ("2001:db8::1", 443, 0, 0)]  # none is loopback
AT_HOME = [("127.0.0.1", 9), ("127.8.9.1", 9), ("::1", 9, 0, 0), ("::ffff:127.0.0.1", 9, 0, 0)]


def datagram_socket(address: tuple[object, ...]) -> socket.socket:
    """A socket whose connect sends nothing."""
    return socket.socket(socket.AF_INET if len(address) == 2 else socket.AF_INET6, socket.SOCK_DGRAM)


@pytest.mark.requirement("TST-06")
@pytest.mark.parametrize("address", ABROAD)
def test_a_connect_that_leaves_this_machine_fails_the_test(address: tuple[object, ...]) -> None:
    """The refusal names the address, and is no Exception that the code under test could handle."""
    with (
        datagram_socket(address) as sock,
        pytest.raises(pytest.fail.Exception, match="tests reach loopback only") as info,
    ):
        sock.connect(address)
    assert repr(address) in str(info.value)
    assert not isinstance(info.value, Exception)


@pytest.mark.requirement("TST-06")
@pytest.mark.parametrize("address", AT_HOME)
def test_loopback_is_open(address: tuple[object, ...]) -> None:
    """Every spelling of loopback is this machine."""
    with datagram_socket(address) as sock:
        sock.connect(address)
        assert sock.getpeername()[:2] == address[:2]


@pytest.mark.requirement("TST-06")
def test_a_name_is_not_looked_up_outside() -> None:
    """A resolver is a server too; localhost needs none."""
    with pytest.raises(pytest.fail.Exception, match=r"getaddrinfo to 'upstream\.example'"):
        socket.getaddrinfo("upstream.example", 443)
    assert socket.getaddrinfo("localhost", 443)


@pytest.mark.requirement("TST-06")
def test_a_datagram_that_leaves_this_machine_fails_the_test() -> None:
    """Sending needs no connect, so it is guarded by itself."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(pytest.fail.Exception, match="sendto"):
        sock.sendto(b"", ABROAD[0])
