using System.Collections.Concurrent;
using System.Net;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Silos that cannot reach each other, the membership table, or a common time.</summary>
[Category("Fleet")]
[Explicit("Processes of their own, and waiting: minutes")]
public sealed class DividedFleetTests
{
    [Test]
    public async Task The_smaller_part_of_a_divided_fleet_refuses_and_the_larger_one_answers()
    {
        Machines.Require();
        using Workload work = await Workload.CreateAsync(20);
        using var machines = new Machines();
        await using ProcessFleet fleet = await ProcessFleet.StartAsync(OnMachine, Machines.Redis);
        int[] prompt = [.. work.Requests[0].PromptIds];
        string whole = await fleet.Silos[0].AskAsync(prompt);
        Assert.That(whole, Does.StartWith("text "));
        Assert.That(await fleet.Silos[2].AskAsync(prompt), Is.EqualTo(whole));
        Machines.Cut(2, Machines.Address(0), Machines.Address(1), Machines.Redis);
        await Task.Delay(TimeSpan.FromSeconds(15));
        string[] answers = await Task.WhenAll(fleet.Silos.Select(silo => silo.AskAsync(prompt)));
        Assert.That(answers[..2], Is.All.EqualTo(whole));
        Assert.That(answers[2], Does.StartWith("refused NoSiloException"));
        Assert.That(answers[2], Does.Contain("has not been able to confirm"));
        Assert.That((await work.RunAsync(fleet.Generator, callers: 4)).Take(5), Is.Empty, "of a client of the larger part");
        Machines.Heal(2);
        await fleet.Silos[2].UntilExitAsync();                    // it reads that it was declared dead
        await fleet.StartAsync(2);
        await fleet.UntilThreeAsync();
        Assert.That(await fleet.Silos[2].AskAsync(prompt), Is.EqualTo(whole));
    }

    [Test]
    public async Task Without_the_table_a_whole_fleet_goes_on_and_one_that_lost_a_silo_refuses_until_it_is_back()
    {
        using Workload work = await Workload.CreateAsync(20);
        await using ProcessFleet fleet = await ProcessFleet.StartAsync();
        int[] prompt = [.. work.Requests[0].PromptIds];
        string whole = await fleet.Silos[0].AskAsync(prompt);
        fleet.Redis.Signal("STOP");
        await Task.Delay(TimeSpan.FromSeconds(20));
        Assert.That(await Task.WhenAll(fleet.Silos.Select(silo => silo.AskAsync(prompt))), Is.All.EqualTo(whole));
        Assert.That((await work.RunAsync(fleet.Generator, callers: 4)).Take(5), Is.Empty);
        fleet.Silos[1].Signal("KILL");
        await Task.Delay(TimeSpan.FromSeconds(15));
        Assert.That(await fleet.Silos[0].AskAsync(prompt), Does.StartWith("refused NoSiloException"), "the lost one may be alive elsewhere");
        fleet.Redis.Signal("CONT");
        await fleet.UntilAsync(silos => silos.Count == 2);
        Assert.That(await fleet.Silos[0].AskAsync(prompt), Is.EqualTo(whole));
    }

    [Test]
    public async Task Clocks_that_are_hours_apart_and_jump_change_nothing()
    {
        const string library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
        if (!File.Exists(library))
            Assert.Ignore("libfaketime is not installed (apt-get install faketime).");
        string offset = Path.GetTempFileName();
        try
        {
            File.WriteAllText(offset, "+0");
            using Workload work = await Workload.CreateAsync(300, leastTokens: 40, mostTokens: 100);
            // Times of files stay, and so does the clock that cannot jump.
            var faked = new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = library, ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1", ["DONT_FAKE_MONOTONIC"] = "1", ["NO_FAKE_STAT"] = "1",
            };
            await using ProcessFleet fleet = await ProcessFleet.StartAsync((i, usual) => usual with
            {
                Environment = i switch
                {
                    0 => [],
                    1 => new(faked) { ["FAKETIME"] = "-3h" },
                    _ => new(faked) { ["FAKETIME_TIMESTAMP_FILE"] = offset, ["FAKETIME_NO_CACHE"] = "1" },
                },
            });
            Task<ConcurrentDictionary<int, string>> running = work.RunAsync(fleet.Generator, callers: 8);
            foreach (string jump in new[] { "+1h", "-2h", "+0" })
            {
                await Task.Delay(TimeSpan.FromSeconds(12));
                await File.WriteAllTextAsync(offset, jump);
            }
            fleet.Silos[1].Signal("KILL");
            await fleet.StartAsync(1);
            await fleet.UntilThreeAsync();
            Assert.That((await running).Take(5), Is.Empty);
            Assert.That(fleet.Silos.Select(silo => silo.HasExited), Is.All.False);
        }
        finally
        {
            File.Delete(offset);
        }
    }

    private static SiloSettings OnMachine(int i, SiloSettings usual) =>
        usual with { Machine = Machines.Name(i), Address = Machines.Address(i), SiloPort = 11111, GatewayPort = 30000 };
}
