using System.Reflection;
using Orleans;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>A silo that does not know whether it belongs to the cluster refuses.</summary>
public sealed class StandingTests
{
    [Test]
    public void It_is_confirmed_for_10_s_from_the_question_on_and_a_clock_that_jumps_changes_nothing()
    {
        var time = new Clock();
        var standing = new SiloStanding(Fleet.Options with { MembershipTimeout = TimeSpan.FromSeconds(10) }, time);
        long asked = time.GetTimestamp();
        time.Pass(6);
        time.Utc += TimeSpan.FromHours(1);
        standing.Confirm(asked);                                        // the answer took 6 s
        time.Pass(3.9);
        Assert.That((standing.IsConfirmed, standing.Expire()), Is.EqualTo((true, false)));
        time.Utc -= TimeSpan.FromHours(2);
        CancellationToken lost = standing.Lost;
        time.Pass(0.1);
        Assert.That((standing.IsConfirmed, lost.IsCancellationRequested), Is.EqualTo((false, false)), "known before anybody is told");
        Assert.That((standing.Expire(), standing.Expire(), lost.IsCancellationRequested), Is.EqualTo((true, false, true)));
        standing.Confirm(asked);
        Assert.That(standing.IsConfirmed, Is.False, "an old answer");
        standing.Confirm(time.GetTimestamp());
        Assert.That((standing.IsConfirmed, standing.Lost.IsCancellationRequested), Is.EqualTo((true, false)));
    }

    [Test]
    public void A_silo_that_was_declared_dead_is_never_confirmed_again()
    {
        var time = new Clock();
        var standing = new SiloStanding(Fleet.Options, time);
        standing.Bury();
        Assert.That((standing.IsConfirmed, standing.Expire(), standing.Lost.IsCancellationRequested), Is.EqualTo((false, true, true)));
        standing.Confirm(time.GetTimestamp());
        Assert.That(standing.IsConfirmed, Is.False);
    }

    [Test]
    public void Every_grain_of_the_library_has_a_type_that_the_filter_knows()
    {
        Type[] grains = [.. typeof(SiloStanding).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Grain)) && !type.IsAbstract)];
        Assert.That(grains, Has.Length.GreaterThanOrEqualTo(2));
        foreach (Type grain in grains)
        {
            Assert.That(grain.GetCustomAttribute<GrainTypeAttribute>()?.GetGrainType(null!, null!).ToString(),
                Does.StartWith(StandingFilter.GrainTypes), $"{grain.Name} needs a [GrainType] that begins so");
        }
    }

    /// <summary>Time that passes when it is told to, and another time of day.</summary>
    private sealed class Clock : TimeProvider
    {
        private long _passed;

        public DateTimeOffset Utc { get; set; } = DateTimeOffset.UnixEpoch;

        public override long TimestampFrequency => 10_000_000;

        public override long GetTimestamp() => _passed;

        public override DateTimeOffset GetUtcNow() => Utc;

        public void Pass(double seconds) => _passed += (long)(seconds * TimestampFrequency);
    }
}
