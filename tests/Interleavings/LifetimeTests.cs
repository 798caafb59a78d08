namespace ManagedTransformers.Interleavings;

public sealed class LifetimeTests
{
    [Test]
    public void What_is_leased_ends_once_after_the_last_lease_and_never_under_one() =>
        Assert.That(Schedule.Explore(Exploration.Schedules(100), seed => Once(seed, end => new Sound(new Lifetime("it", end)))), Is.Null);

    /// <summary>The explorer finds what is wrong with one that does not compare before it counts.</summary>
    [Test]
    public void A_lease_that_is_counted_without_comparing_is_found()
    {
        string? wrong = Schedule.Explore(3000, seed => Once(seed, end => new Racy(end)));
        Assert.That(wrong, Does.Match(@"^seed \d+: .*(it ended under a lease|ended \d times)"));
        int seed = int.Parse(wrong!.Split(' ', ':')[1], CultureInfo.InvariantCulture);
        Assert.That($"seed {seed}: {Once(seed, end => new Racy(end))}", Is.EqualTo(wrong), "the same seed finds the same");
    }

    private static string? Once(int seed, Func<Action, ILeased> make)
    {
        int ended = 0, leased = 0;
        string? wrong = null;
        ILeased one = make(() => ended++);
        Action reader = () =>
        {
            for (int i = 0; i < 3; i++)
            {
                try
                {
                    using IDisposable lease = one.Acquire();
                    leased++;
                    Schedule.Point();
                    if (ended > 0)
                        wrong = "it ended under a lease";
                }
                catch (ObjectDisposedException)
                {
                }
            }
        };
        Schedule schedule = Schedule.Run(seed, reader, reader, one.Dispose, one.Dispose);
        return schedule.Failure ?? wrong ?? (ended == 1 ? null : $"ended {ended} times, after {leased} leases");
    }

    private interface ILeased : IDisposable
    {
        IDisposable Acquire();
    }

    private sealed class Sound(Lifetime lifetime) : ILeased
    {
        public IDisposable Acquire() => lifetime.Acquire();
        public void Dispose() => lifetime.Dispose();
    }

    private sealed class Racy(Action end) : ILeased
    {
        private int _references = 1, _ownerGone;

        public IDisposable Acquire()
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _references) == 0 || Volatile.Read(ref _ownerGone) != 0, this);
            Interlocked.Increment(ref _references);
            return new Lease(this);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ownerGone, 1) == 0)
                Release();
        }

        private void Release()
        {
            if (Interlocked.Decrement(ref _references) == 0)
                end();
        }

        private sealed class Lease(Racy owner) : IDisposable
        {
            public void Dispose() => owner.Release();
        }
    }
}
