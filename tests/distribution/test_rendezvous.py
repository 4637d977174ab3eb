import contextlib
import socket
import threading

import pytest

from lst_tf2.distribution.rendezvous import meet, split_address
from lst_tf2.errors import InputError
from tests.distribution.small_cluster import free_addresses


def test_all_workers_meet_in_whatever_order_they_come():
    workers, met = free_addresses(3), []

    def come(index):
        meet(workers, index, 10)
        met.append(index)

    threads = [threading.Thread(target=come, args=(index,)) for index in (2, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(met) == [0, 1, 2]


def test_first_worker_names_those_it_missed():
    workers = free_addresses(3)

    def come():
        with contextlib.suppress(InputError):
            meet(workers, 1, 1.0)

    present = threading.Thread(target=come)
    present.start()
    with pytest.raises(InputError, match=f"all 3 workers within 0.5 s, missed {workers[2]};"):
        meet(workers, 0, 0.5)
    present.join()


def test_stranger_is_no_worker():
    workers = free_addresses(2)

    def call():
        while True:
            try:
                with socket.create_connection(split_address(workers[0]), timeout=1) as connection:
                    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return
            except ConnectionRefusedError:
                continue

    stranger = threading.Thread(target=call)
    stranger.start()
    with pytest.raises(InputError, match=f"missed {workers[1]}"):
        meet(workers, 0, 1.0)
    stranger.join()


def test_other_worker_says_where_it_looked():
    workers = free_addresses(2)
    with pytest.raises(InputError, match=f"answer at {workers[0]} within 0.3 s"):
        meet(workers, 1, 0.3)


def test_address_of_another_machine_is_refused():
    # 192.0.2.0/24 is set apart for documentation: nobody has it.
    with pytest.raises(InputError, match=r"Expected to listen at 192\.0\.2\.1:4000, the first of"):
        meet(["192.0.2.1:4000", "192.0.2.2:4000"], 0, 1)


@pytest.mark.parametrize("address", ["host", "host:", ":80", "host:port", "host:70000"])
def test_malformed_address_is_refused(address):
    with pytest.raises(InputError, match="Expected workers as host:port"):
        split_address(address)
