namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Silos with different versions or files of a model.</summary>
[Category("Fleet")]
[Explicit("Processes of their own, and waiting: minutes")]
public sealed class UpgradeTests
{
    [Test]
    public async Task An_upgrade_one_silo_at_a_time_loses_no_text_and_none_is_of_two_versions()
    {
        const WeightFormat after = WeightFormat.Int8;
        using Workload old = await Workload.CreateAsync(60, leastTokens: 60, mostTokens: 200);
        using Workload upgraded = await Workload.CreateAsync(60, leastTokens: 60, mostTokens: 200, weights: after);
        await using ProcessFleet fleet = await ProcessFleet.StartAsync();
        using var end = new CancellationTokenSource();
        int ofOld = 0, ofNew = 0, next = 0;
        var wrong = new List<string>();
        Task[] callers = [.. Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                int i = Interlocked.Increment(ref next) % old.Requests.Length;
                try
                {
                    string[] texts = await old.TextsAsync(fleet.Generator, i);
                    if (texts.SequenceEqual(old.Whole(i)))
                        Interlocked.Increment(ref ofOld);
                    else if (texts.SequenceEqual(upgraded.Whole(i)))
                        Interlocked.Increment(ref ofNew);
                    else
                        lock (wrong)
                            wrong.Add($"{string.Join(" and ", texts)}, neither {old.Whole(i)[0]} nor {upgraded.Whole(i)[0]}");
                }
                catch (Exception e)
                {
                    lock (wrong)
                        wrong.Add(e.ToString());
                }
            }
        }))];
        for (int silo = 0; silo < 3; silo++)
        {
            await Task.Delay(TimeSpan.FromSeconds(3));
            fleet.Silos[silo].Signal("TERM");
            await fleet.Silos[silo].UntilExitAsync();
            Assert.That(fleet.Silos[silo].Log, Does.Not.Contain("ran when the silo stopped"));
            await fleet.StartAsync(silo, fleet.Silos[silo].Settings with { Weights = $"{after}" });
            IReadOnlyList<ClusterSilo> silos = await fleet.UntilAsync(all => all.Count == 3 && all.All(one => one.IsLoaded));
            TestContext.Progress.WriteLine($"after {silo + 1}: {ofOld} texts of the old version, {ofNew} of the new one, {wrong.Count} of none");
            Assert.That(silos.Count(one => one.Problem is not null), Is.EqualTo(silo == 2 ? 0 : 1), "the fewer ones get no new requests");
            if (silo == 1)
                Assert.That(silos.Single(one => one.Problem is not null).Name, Is.EqualTo("silo-2"), "the last old one");
        }
        await Task.Delay(TimeSpan.FromSeconds(3));
        await end.CancelAsync();
        await Task.WhenAll(callers);
        Assert.That(wrong.Take(3), Is.Empty, $"{wrong.Count} wrong");
        Assert.That((ofOld, ofNew), Is.GreaterThan((0, 0)));
        Assert.That(ofNew, Is.GreaterThan(0));
    }

    [Test]
    public async Task A_silo_with_other_files_says_both_fingerprints_and_one_without_room_gets_nothing()
    {
        string other = Directory.CreateTempSubdirectory("other-files-").FullName;
        try
        {
            string model = Path.Combine(other, Fleet.Model);
            Directory.CreateDirectory(model);
            foreach (string file in Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "models", Fleet.Model)))
                File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
            string config = Path.Combine(model, "config.json");
            File.WriteAllText(config, File.ReadAllText(config) + "\n");
            await using ProcessFleet fleet = await ProcessFleet.StartAsync();
            fleet.Silos[2].Signal("KILL");
            await fleet.StartAsync(2, fleet.Silos[2].Settings with { Model = model });
            IReadOnlyList<ClusterSilo> silos = await fleet.UntilAsync(all => all.Count == 3 && all.Any(one => one.Problem is not null));
            ClusterSilo refused = silos.Single(one => one.Problem is not null);
            Assert.That(refused.Name, Is.EqualTo("silo-2"));
            Assert.That(refused.Problem, Does.Contain(silos[0].Fingerprint).And.Contain(refused.Fingerprint));
            Assert.That(fleet.Silos[2].Log, Does.Contain(refused.Problem));
        }
        finally
        {
            Directory.Delete(other, recursive: true);
        }
    }

    [Test]
    public async Task A_model_that_no_silo_has_room_for_is_refused_with_the_numbers()
    {
        await using ProcessFleet fleet = await ProcessFleet.StartAsync((_, usual) => usual with { MemoryBytes = 1_000_000 });
        string answer = await fleet.Silos[0].AskAsync([1, 2, 3]);
        Assert.That(answer, Does.StartWith("refused ModelLoadException No silo has room for the model demo-codegen: it needs "));
        Assert.That(answer, Does.Contain("of 3 silos").And.Contain("has the most, 1000000"));
    }
}
