namespace ManagedTransformers.Orleans.Tests;

/// <summary>What a cluster gives is what the generator gives alone.</summary>
public sealed class ClusterGeneratorTests
{
    private static readonly string s_code = string.Concat(Enumerable.Range(0, 12).Select(i => $"def f{i}(a, b):\n    return a * {i} + b\n\n"));

    private TextGenerator _alone = null!;
    private static Fleet Shared => SharedFleet.Fleet;

    [OneTimeSetUp]
    public void Load() => _alone = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", Fleet.Model));

    [OneTimeTearDown]
    public void Unload() => _alone.Dispose();

    [Test]
    public async Task Twelve_streams_are_the_generators_texts()
    {
        GenerationRequest[] requests = [.. Enumerable.Range(0, 12).Select(i => new GenerationRequest(_alone.Encode($"def g{i}(x):\n"))
        {
            Options = new()
            {
                MaxNewTokens = 10 + i, DoSample = i % 3 == 1, Seed = i % 3 == 1 ? i : null, TopLogProbabilities = i % 4 == 2 ? 2 : null,
                NumReturnSequences = i % 3 == 1 ? 2 : 1, StopStrings = ["\n\n"],
            },
        })];
        GenerationResult[] results = await Task.WhenAll(requests.Select(request => Shared.Generator.GenerateAsync(request)));
        for (int i = 0; i < requests.Length; i++)
        {
            GenerationOutput alone = _alone.GenerateSequences([[.. requests[i].PromptIds]], requests[i].Options);
            Assert.That(results[i].Sequences.Select(Said), Is.EqualTo(alone.Sequences.Select(Said)), $"request {i}");
        }
        // Some went to each silo.
        foreach (var silo in Shared.Cluster.Silos)
            Assert.That((await Shared.EngineOf(silo)).State.Totals.Requests, Is.GreaterThan(0), silo.Name);
    }

    [Test]
    public async Task A_prompt_goes_to_the_silo_that_holds_its_beginning()
    {
        int[] shared = _alone.Encode(s_code + "# the file that an editor has open\n");
        var options = new GenerationOptions { MaxNewTokens = 4 };
        GenerationResult first = await Shared.Generator.GenerateAsync(new GenerationRequest(shared) { Options = options });
        for (int i = 0; i < 6; i++)
        {
            var request = new GenerationRequest([.. shared, .. _alone.Encode($"def h{i}(x):\n")]) { Options = options };
            GenerationResult result = await Shared.Generator.GenerateAsync(request);
            Assert.That(result.Usage.CachedTokens, Is.GreaterThanOrEqualTo(PrefixBlocks.Tokens), $"request {i}");
            Assert.That(result.Sequences[0].Text, Is.EqualTo(_alone.GenerateSequences([[.. request.PromptIds]], options).Sequences[0].Text));
        }
        Assert.That(first.Usage.CachedTokens, Is.EqualTo(0));
        IReadOnlyList<ClusterSilo> silos = await Shared.UntilAsync(all => all.Any(silo => silo.CachedBlocks > 0));
        Assert.That(silos.Sum(silo => silo.CachedBlocks), Is.GreaterThanOrEqualTo(shared.Length / PrefixBlocks.Tokens));
    }

    [Test]
    public async Task A_cancelled_stream_frees_its_row([Values] bool byToken)
    {
        using var end = new CancellationTokenSource();
        var request = new GenerationRequest(_alone.Encode("def add(")) { Options = new() { MaxNewTokens = 200, EosTokenId = [] } };
        GenerationEngine[] engines = await Task.WhenAll(Shared.Cluster.Silos.Select(Shared.EngineOf));
        long before = engines.Sum(engine => engine.State.Totals.NewTokens);
        int pieces = 0;
        async Task Read()
        {
            await foreach (GenerationUpdate update in Shared.Generator.StreamAsync(request, end.Token))
            {
                if (++pieces < 2)
                    continue;
                if (!byToken)
                    break;
                await end.CancelAsync();
            }
        }
        if (byToken)
            Assert.That(Read, Throws.InstanceOf<OperationCanceledException>());
        else
            await Read();
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (engines.Any(engine => engine.State.Running.Count > 0))
            await Task.Delay(1, guard.Token);
        Assert.That(engines.Sum(engine => engine.State.Totals.NewTokens) - before, Is.LessThan(200), "the text was not generated to its end");
    }

    [Test]
    public void What_cannot_be_is_refused_as_an_engine_refuses_it()
    {
        var request = new GenerationRequest(_alone.Encode("x ="));
        Assert.That(async () => await new ClusterGenerator(Shared.Cluster.Client, "nothing").GenerateAsync(request),
            Throws.TypeOf<UnknownModelException>().With.Message.Contains("No silo of the cluster has a model \"nothing\""));
        Assert.That(async () => await Shared.Generator.GenerateAsync(request with { Options = new() { MaxNewTokens = 100_000 } }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("MaxNewTokens is 100000"));
        Assert.That(() => Shared.Generator.StreamAsync(request with { Options = new() { LogitsProcessors = [new Own()] } }),
            Throws.TypeOf<ModelInputException>().With.Message.StartsWith("LogitsProcessors is an object of this process"));
    }

    [Test]
    public async Task A_silo_with_other_files_is_refused_with_both_fingerprints()
    {
        IModelDirectoryGrain directory = Shared.Cluster.Client.GetGrain<IModelDirectoryGrain>("shared-name");
        SiloReport first = Report(0, version: 1, "aaaa"), second = Report(1, version: 1, "bbbb");
        await directory.ReportAsync(first);
        Assert.That(async () => await directory.ReportAsync(second), Throws.TypeOf<ModelFingerprintException>().With.Message.StartsWith(
            $"The model shared-name is not the same everywhere: {second.Name} has the fingerprint bbbb, {first.Name} has aaaa."));
        Assert.That((await directory.ChooseAsync(new PlacementRequest([]))).Silo, Is.EqualTo(first.Silo));
        Assert.That((await directory.SilosAsync()).Select(silo => silo.Problem is null), Is.EquivalentTo(new[] { true, false }));
        // Once the other is gone, the new files are those of the cluster.
        await directory.LeaveAsync(first.Silo);
        await directory.ReportAsync(second with { Version = 2 });
        Assert.That((await directory.ChooseAsync(new PlacementRequest([]))).Silo, Is.EqualTo(second.Silo));
        // A grain compares as well: the silo may have changed since the choice.
        ClusterRequest request = ClusterRequest.Of(new GenerationRequest([1]), Fleet.Model, "cccc", seed: 0);
        Assert.That(() => Task.Run(async () =>
        {
            ModelPlacementDirector.SendTo(second.Silo);
            await foreach (GenerationUpdate _ in Shared.Cluster.Client.GetGrain<IGenerationGrain>(Guid.NewGuid()).GenerateAsync(request, default))
            {
            }
        }), Throws.TypeOf<ModelFingerprintException>().With.Message.Contains("cccc"));
    }

    [Test]
    public async Task An_upgrade_moves_new_requests_when_most_silos_have_it_and_a_text_stays_with_its_version()
    {
        IModelDirectoryGrain directory = Shared.Cluster.Client.GetGrain<IModelDirectoryGrain>("upgraded");
        var asked = new PlacementRequest([]);
        SiloReport[] old = [.. Enumerable.Range(0, 3).Select(i => Report(i, version: 1, "old") with { IsLoaded = true })];
        SiloReport[] upgraded = [.. old.Select(report => report with { Version = 2, Fingerprint = "new" })];
        foreach (SiloReport report in old)
            await directory.ReportAsync(report);
        Assert.That(await directory.LeaveAsync(old[0].Silo), Is.True, "two have the same files");
        Assert.That(async () => await directory.ReportAsync(upgraded[0]), Throws.TypeOf<ModelFingerprintException>(), "1 against 2");
        Assert.That((await directory.ChooseAsync(asked)).Fingerprint, Is.EqualTo("old"));
        Assert.That(await directory.LeaveAsync(old[1].Silo), Is.True);
        Assert.That((await directory.ChooseAsync(asked)).Fingerprint, Is.EqualTo("old"), "1 against 1: those that had them");
        await directory.ReportAsync(upgraded[1]);
        Assert.That((await directory.ChooseAsync(asked)).Fingerprint, Is.EqualTo("new"), "2 against 1");
        var begun = new PlacementRequest([]) { Fingerprint = "old", KernelLevel = "Avx2" };
        Assert.That((await directory.ChooseAsync(begun)).Silo, Is.EqualTo(old[2].Silo), "a text that had begun");
        Assert.That((await directory.SilosAsync()).Single(silo => silo.Problem is not null).Name, Is.EqualTo(old[2].Name));
        Assert.That(await directory.LeaveAsync(old[2].Silo), Is.False, "the last one: its texts end on it");
        await directory.ReportAsync(upgraded[2]);
        Assert.That((await directory.SilosAsync()).Select(silo => silo.Problem), Is.All.Null);
    }

    [Test]
    public async Task An_older_report_says_nothing_and_a_model_without_room_is_refused_with_the_numbers()
    {
        IModelDirectoryGrain directory = Shared.Cluster.Client.GetGrain<IModelDirectoryGrain>("large");
        await directory.ReportAsync(Report(0, version: 2, "aaaa") with { NeededBytes = 1000, FreeBytes = 10 });
        await directory.ReportAsync(Report(0, version: 1, "aaaa") with { NeededBytes = 1000, FreeBytes = 2000 });
        Assert.That(async () => await directory.ChooseAsync(new PlacementRequest([])),
            Throws.TypeOf<NoSiloException>().With.Message.Contains("has just begun"), "others may have room");
        await Task.Delay(4 * Fleet.Options.ReportInterval);
        Assert.That(async () => await directory.ChooseAsync(new PlacementRequest([])),
            Throws.TypeOf<ModelLoadException>().With.Message.Contains("it needs 1000 bytes").And.Message.Contains("has the most, 10."));
    }

    [Test]
    public void A_request_and_its_options_arrive_as_they_were_sent()
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = 7, DoSample = true, Temperature = 0.1, TopP = 0.95, EosTokenId = [3, 4], StopStrings = ["\n\"", "é"],
            MaxTime = TimeSpan.FromSeconds(1.5), SequenceBias = [new([1, 2], float.NegativeInfinity), new([5], 0.1f)],
            BadWordsIds = [[1], [2, 3]], Truncation = TruncationRecipe.HumanEval,
            KeyValueType = WeightType.F16, NumReturnSequences = 3,
        };
        GenerationOptions read = OptionsJson.Read(OptionsJson.Write(options));
        Assert.That(OptionsJson.Write(read), Is.EqualTo(OptionsJson.Write(options)));
        Assert.That((read.Temperature, read.MaxTime, read.SequenceBias![0].Bias, read.Truncation),
            Is.EqualTo((0.1, TimeSpan.FromSeconds(1.5), float.NegativeInfinity, TruncationRecipe.HumanEval)));
        var request = new GenerationRequest([1, 2, 3])
        {
            Options = options with { Seed = null }, BestOf = 4, PromptOnly = true, PromptLogProbabilities = 2, CachePrompt = false, SkipSpecialTokens = true,
            Begun = [[1, 2], []], Dropped = (1, 2),
        };
        GenerationRequest arrived = ClusterRequest.Of(request, "m", "f", seed: 11).ForEngine(_alone);
        Assert.That((arrived.BestOf, arrived.PromptOnly, arrived.PromptLogProbabilities, arrived.CachePrompt, arrived.SkipSpecialTokens, arrived.Dropped),
            Is.EqualTo((4, true, 2, false, true, (1, 2))));
        Assert.That(arrived.Begun, Is.EqualTo(request.Begun));
        Assert.That(arrived.PromptIds, Is.EqualTo(request.PromptIds));
        Assert.That(arrived.Options.Seed, Is.EqualTo(11), "drawn at random, without a seed of its own");
    }

    private sealed class Own : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
        }
    }

    private SiloReport Report(int silo, long version, string fingerprint) => new()
    {
        Silo = Shared.Cluster.Silos[silo].SiloAddress, Version = version, Name = Shared.Cluster.Silos[silo].Name, Fingerprint = fingerprint,
        KernelLevel = "Avx2", Interval = TimeSpan.FromMinutes(1),
    };

    private static string Said(GeneratedSequence text) =>
        $"{text.Text}|{string.Join(' ', text.TokenIds)}|{text.FinishReason}|" + string.Join(' ', (text.LogProbabilities ?? []).Select(token =>
            $"{token.TokenText}{token.LogProbability:R}{string.Concat(token.Alternatives.Select(one => one.LogProbability.ToString("R")))}"));
}
