from engine import Policy
from engine.queues import OutboundQueue, Parcel


def parcel(number: int, *, nbytes: int = 1, epoch: int = 0, flush_before: int = 0, seconds: float = 0.0) -> Parcel:
    return Parcel([number], nbytes, epoch, flush_before, seconds)


def queue(text, *, live=False) -> OutboundQueue:
    return OutboundQueue(Policy.parse(text), live=live)


def contents(waiting: OutboundQueue) -> list[int]:
    return [waiting.take().parts[0] for _ in range(len(waiting))]


def test_latest_keeps_the_newest_and_counts_the_others():
    waiting = queue("latest")
    for number in range(5):
        waiting.offer(parcel(number))
    assert (waiting.dropped, waiting.lost, contents(waiting)) == (4, 0, [4])


def test_drop_oldest_keeps_the_newest_few():
    waiting = queue({"drop_oldest": 3})
    for number in range(5):
        waiting.offer(parcel(number))
    assert (waiting.dropped, contents(waiting)) == (2, [2, 3, 4])


def test_block_in_a_replay_is_full_at_its_depth_and_lets_nothing_go():
    waiting = queue("block")
    depth = waiting.policy.depth
    for number in range(depth):
        assert not waiting.full
        waiting.offer(parcel(number))
    assert waiting.full
    assert (waiting.dropped, waiting.lost, contents(waiting)) == (0, 0, list(range(depth)))


def test_block_in_a_replay_is_full_with_one_parcel_of_64_mib():
    waiting = queue("block")
    waiting.offer(parcel(0, nbytes=64 << 20))
    assert waiting.full
    waiting.take()
    assert not waiting.full


def test_block_on_a_live_stream_keeps_its_seconds_and_loses_what_comes_after():
    waiting = queue({"block": 1.0}, live=True)
    for number in range(8):
        waiting.offer(parcel(number, seconds=0.25))
    assert not waiting.full
    assert (waiting.lost, waiting.dropped, contents(waiting)) == (4, 0, [0, 1, 2, 3])


def test_block_on_a_live_stream_takes_one_in_for_each_that_goes_out():
    waiting = queue({"block": 1.0}, live=True)
    for number in range(100):
        waiting.offer(parcel(number, seconds=0.1))
        if number >= 50 and number % 10 == 0:
            waiting.take()
    assert (len(waiting), waiting.lost) == (10, 85)


def test_block_on_a_live_stream_has_a_limit_in_bytes_too():
    waiting = queue({"block": 3600}, live=True)
    for number in range(3):
        waiting.offer(parcel(number, nbytes=1 << 30))
    assert (waiting.lost, len(waiting)) == (1, 2)


def test_a_seek_voids_what_is_older_and_counts_it_apart():
    waiting = queue("block")
    waiting.offer(parcel(0, epoch=1))
    waiting.offer(parcel(1, epoch=2))
    waiting.offer(parcel(2, epoch=3, flush_before=2))
    assert (waiting.flushed, waiting.lost, waiting.dropped, contents(waiting)) == (1, 0, 0, [1, 2])


def test_pressure_is_known_of_drop_oldest_alone():
    pressures = []
    for text in ({"drop_oldest": 4}, "latest", "block"):
        waiting = queue(text)
        waiting.offer(parcel(0))
        pressures.append(waiting.pressure)
    assert pressures == [0.25, 0.0, 0.0]


def test_clearing_tells_how_much_there_was_and_leaves_room():
    waiting = queue("block")
    waiting.offer(parcel(0, nbytes=64 << 20))
    assert (waiting.clear(), len(waiting), waiting.full, waiting.peek()) == (1, 0, False, None)
