using System.Collections.Concurrent;
using System.Diagnostics;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Silos in processes that are killed, stopped and halted while texts run: every one is complete, and each token came once.</summary>
[Category("Fleet")]
[Explicit("Processes of their own, and waiting: minutes")]
public sealed class LostProcessTests
{
    [Test]
    public async Task Of_2000_streams_every_text_is_whole_while_a_random_silo_is_killed_every_10_s()
    {
        using Workload work = await Workload.CreateAsync(2000);
        await using ProcessFleet fleet = await ProcessFleet.StartAsync();
        int ended = 0;
        await using var killing = new RandomKills(fleet, () => $"{ended} texts have ended");
        ConcurrentDictionary<int, string> wrong = await work.RunAsync(fleet.Generator, callers: 12, _ => Interlocked.Increment(ref ended));
        await killing.EndAsync();
        TestContext.Out.WriteLine($"{work.Requests.Length} requests, {killing.Count} kills, {killing.Seconds:F0} s, {wrong.Count} wrong");
        Assert.That(wrong.Take(5), Is.Empty, $"{wrong.Count} wrong");
        Assert.That(killing.Count, Is.GreaterThanOrEqualTo(3));
    }

    [Test]
    public async Task The_host_of_the_directory_is_killed_again_and_again()
    {
        using Workload work = await Workload.CreateAsync(200, leastTokens: 40, mostTokens: 100);
        await using ProcessFleet fleet = await ProcessFleet.StartAsync();
        Task<ConcurrentDictionary<int, string>> running = work.RunAsync(fleet.Generator, callers: 8);
        int kills = 0;
        while (!running.IsCompleted && kills < 4)
        {
            int silo = await fleet.DirectoryHostAsync();
            fleet.Silos[silo].Signal("KILL");
            kills++;
            await fleet.StartAsync(silo);
            await fleet.UntilThreeAsync();
        }
        Assert.That((await running).Take(5), Is.Empty);
        Assert.That(kills, Is.GreaterThanOrEqualTo(2));
    }

    [Test]
    public async Task A_silo_that_is_told_to_end_hands_its_texts_over()
    {
        using Workload work = await Workload.CreateAsync(300, leastTokens: 40, mostTokens: 100);
        await using ProcessFleet fleet = await ProcessFleet.StartAsync();
        Task<ConcurrentDictionary<int, string>> running = work.RunAsync(fleet.Generator, callers: 8);
        for (int silo = 0; silo < 3 && !running.IsCompleted; silo++)
        {
            var clock = Stopwatch.StartNew();
            fleet.Silos[silo].Signal("TERM");
            await fleet.Silos[silo].UntilExitAsync();
            TestContext.Progress.WriteLine($"silo-{silo} ended in {clock.Elapsed.TotalSeconds:F1} s");
            Assert.That(fleet.Silos[silo].Log, Does.Not.Contain("ran when the silo stopped"));
            await fleet.StartAsync(silo);
            await fleet.UntilThreeAsync();
        }
        Assert.That((await running).Take(5), Is.Empty);
    }

    [Test]
    public async Task A_silo_that_hangs_for_60_s_adds_nothing_when_it_is_back_and_ends_itself()
    {
        using Workload work = await Workload.CreateAsync(400, leastTokens: 40, mostTokens: 100);
        await using ProcessFleet fleet = await ProcessFleet.StartAsync();
        Task<ConcurrentDictionary<int, string>> running = work.RunAsync(fleet.Generator, callers: 8);
        await Task.Delay(TimeSpan.FromSeconds(2));
        fleet.Silos[1].Signal("STOP");
        await Task.Delay(TimeSpan.FromSeconds(60));
        Assert.That(await fleet.Generator.GetSilosAsync(), Has.Count.EqualTo(2), "the others have noticed");
        fleet.Silos[1].Signal("CONT");
        await fleet.Silos[1].UntilExitAsync();
        await fleet.StartAsync(1);
        await fleet.UntilThreeAsync();
        Assert.That((await running).Take(5), Is.Empty);
    }
}
