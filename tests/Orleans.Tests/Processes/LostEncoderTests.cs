using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Calls of encoders on silos in processes that are killed: each has its answer, once, and it is the undisturbed one to the byte.</summary>
[Category("Fleet")]
[Explicit("Processes of their own, and waiting: minutes")]
public sealed class LostEncoderTests
{
    private const int Calls = 1000;

    [Test]
    public async Task Of_1000_calls_of_encoders_every_answer_is_the_undisturbed_one_while_a_random_silo_is_killed_every_10_s()
    {
        RedisServer.Require();
        EncoderWorkload work = await EncoderWorkload.CreateAsync();
        await using ProcessFleet fleet = await ProcessFleet.StartAsync((_, usual) => usual with { Encoders = EncoderWorkload.Models });
        var attempts = new Attempts();
        (WebApplication first, HttpClient one) = await fleet.StartGatewayAsync(attempts);
        (WebApplication second, HttpClient two) = await fleet.StartGatewayAsync(attempts);
        int ended = 0;
        await using var killing = new RandomKills(fleet, () => $"{ended} calls have ended, {attempts.Count} attempts were made");
        ConcurrentDictionary<int, string> wrong = await work.RunAsync(Calls, [one, two], () => Interlocked.Increment(ref ended));
        await killing.EndAsync();
        one.Dispose();
        two.Dispose();
        await first.DisposeAsync();
        await second.DisposeAsync();
        TestContext.Out.WriteLine(
            $"{Calls} calls, {killing.Count} kills, {killing.Seconds:F0} s, {attempts.Count - Calls} attempts made anew, {wrong.Count} wrong");
        Assert.That(wrong.Take(5), Is.Empty, $"{wrong.Count} wrong");
        Assert.That(ended, Is.EqualTo(Calls));
        Assert.That(killing.Count, Is.GreaterThanOrEqualTo(3));
        Assert.That(attempts.Count, Is.GreaterThan(Calls), "calls that a silo had begun were made anew on another one");
    }
}
