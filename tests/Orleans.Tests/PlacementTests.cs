namespace ManagedTransformers.Orleans.Tests;

/// <summary>Where a request goes, of what is known.</summary>
public sealed class PlacementTests
{
    private static readonly int[] s_prompt = [.. Enumerable.Range(0, 200)];                     // 3 blocks of 64, and 8 tokens
    private static readonly ulong[] s_blocks = PrefixBlocks.Of(s_prompt);

    [Test]
    public void A_prompt_of_200_tokens_has_3_blocks_each_of_which_depends_on_all_before_it()
    {
        Assert.That(s_blocks, Has.Length.EqualTo(3).And.Unique);
        int[] other = [.. s_prompt];
        other[70] = 1;
        Assert.That(PrefixBlocks.Of(other).Zip(s_blocks, (a, b) => a == b), Is.EqualTo(new[] { true, false, false }));
        Assert.That(PrefixBlocks.Common(s_blocks, new HashSet<ulong> { s_blocks[0], s_blocks[2] }), Is.EqualTo(1), "a gap ends it");
        Assert.That(PrefixBlocks.Of(new int[63]), Is.Empty);
    }

    [Test]
    public void A_summary_of_many_prompts_has_the_last_ones_and_their_first_blocks()
    {
        int[][] prompts = [[.. Enumerable.Range(1000, 128)], s_prompt];
        Assert.That(PrefixBlocks.Of(prompts, 4), Is.EqualTo(new[] { s_blocks[0], s_blocks[1], s_blocks[2], PrefixBlocks.Of(prompts[0])[0] }));
        Assert.That(PrefixBlocks.Of(prompts, 2), Is.EqualTo(s_blocks[..2]));
    }

    [Test]
    public void A_request_costs_the_tokens_that_are_not_held_and_128_for_itself_and_for_each_that_is_there()
    {
        ulong[] prompt = PrefixBlocks.Of([.. Enumerable.Range(0, 640)]);                       // 10 blocks
        PlacementCandidate Holder(int queue, int blocks = 10) => Loaded($"holder of {blocks}", queue) with { Prefixes = prompt[..blocks].ToHashSet() };
        var request = new PlacementRequest(prompt);
        Assert.That(Choose([Loaded("idle", queue: 0), Holder(4)], request), Is.EqualTo(("holder of 10", PlacementReason.Prefix, 640)), "5 · 128 < 128 + 640");
        Assert.That(Choose([Loaded("idle", queue: 0), Holder(6)], request), Is.EqualTo(("idle", PlacementReason.LeastLoaded, 0)), "7 · 128 > 128 + 640");
        Assert.That(Choose([Loaded("busy", queue: 1), Holder(10)], request).Silo, Is.EqualTo("holder of 10"), "11 · 128 < 2 · 768");
        Assert.That(Choose([Holder(3, blocks: 7), Holder(9), Loaded("busy", queue: 1)], request), Is.EqualTo(("holder of 7", PlacementReason.Prefix, 448)),
            "4 · 320 = 10 · 128 < 2 · 768, and fewer requests");
        Assert.That(Choose([Holder(3, blocks: 7), Holder(9)], request with { Excluded = ["holder of 7"] }).Silo, Is.EqualTo("holder of 10"));
        Assert.That(Choose([Holder(3), Holder(2, blocks: 0)], new PlacementRequest([])).Silo, Is.EqualTo("holder of 0"), "no blocks: the fewest requests");
    }

    [Test]
    public void Of_equals_it_is_the_one_with_the_fewest_requests_and_then_one_that_the_first_block_decides()
    {
        ulong[] prompt = PrefixBlocks.Of([.. Enumerable.Range(0, 128)]);
        PlacementCandidate holder = Loaded("holder", queue: 1) with { Prefixes = prompt.ToHashSet() };
        Assert.That(Choose([holder, Loaded("idle", queue: 0)], new PlacementRequest(prompt)).Silo, Is.EqualTo("idle"), "2 · 128 = 128 + 128");
        PlacementCandidate[] silos = [.. Enumerable.Range(0, 8).Select(i => Loaded($"silo-{i}", queue: 1))];
        PlacementRequest[] requests = [.. Enumerable.Range(0, 800).Select(i => new PlacementRequest(PrefixBlocks.Of([i, .. Enumerable.Range(0, 127)])))];
        string[] chosen = [.. requests.Select(request => Choose(silos, request).Silo)];
        Assert.That(silos.Select(silo => chosen.Count(one => one == silo.Silo)), Is.All.InRange(60, 140), "800 prompts on 8 silos");
        PlacementCandidate[] fewer = [.. silos.Skip(1).Reverse()];
        string[] without = [.. requests.Select(request => Choose(fewer, request).Silo)];
        Assert.That(chosen.Zip(without).Where(one => one.First != silos[0].Silo).All(one => one.First == one.Second), "only those of the silo that left move");
    }

    [Test]
    public void Where_none_has_the_model_it_is_the_one_with_the_most_room()
    {
        PlacementCandidate[] unloaded = [Unloaded("x", free: 99), Unloaded("y", free: 200), Unloaded("z", free: 150)];
        Assert.That(Choose([.. unloaded, Loaded("b", queue: 4), Loaded("c", queue: 3)]), Is.EqualTo(("c", PlacementReason.LeastLoaded, 0)));
        Assert.That(Choose(unloaded), Is.EqualTo(("y", PlacementReason.Room, 0)));
        Assert.That(ModelPlacement.Choose([unloaded[0]], new PlacementRequest([])), Is.Null, "99 of 100 bytes");
        Assert.That(ModelPlacement.Choose([], new PlacementRequest([])), Is.Null);
    }

    [Test]
    public void A_model_spreads_to_the_silo_with_the_most_room_when_all_that_have_it_are_full()
    {
        PlacementCandidate[] unloaded = [Unloaded("x", free: 99), Unloaded("y", free: 150), Unloaded("z", free: 200)];
        PlacementCandidate full = Loaded("a", queue: 8) with { Rows = 8 }, room = Loaded("b", queue: 7) with { Rows = 8 };
        Assert.That(ModelPlacement.Spread([.. unloaded, full])!.Silo, Is.EqualTo("z"));
        Assert.That(ModelPlacement.Spread([.. unloaded, full, room]), Is.Null, "7 of 8 rows");
        Assert.That(ModelPlacement.Spread([unloaded[0], full]), Is.Null, "99 of 100 bytes");
        Assert.That(ModelPlacement.Spread([full]), Is.Null);
    }

    [Test]
    public void A_text_that_goes_on_stays_with_its_files_and_its_kernel_level()
    {
        PlacementCandidate[] silos =
        [
            Loaded("a", queue: 0) with { KernelLevel = "Avx512" }, Loaded("b", queue: 1) with { Fingerprint = "other" }, Loaded("c", queue: 8),
        ];
        Assert.That(Choose(silos, new PlacementRequest(s_blocks) { Fingerprint = "same", KernelLevel = "Avx2" }).Silo, Is.EqualTo("c"));
        Assert.That(Choose(silos, new PlacementRequest(s_blocks)).Silo, Is.EqualTo("a"));
    }

    [Test]
    public async Task Small_files_arrive_with_the_hashes_of_all_and_one_that_changed_on_the_way_is_refused()
    {
        string model = Path.Combine(RepositoryRoot.Path, "models", Fleet.Model), fingerprint = await FingerprintOf(model);
        CheckpointFiles files = await CheckpointFiles.ReadAsync(model, "", withContents: true, default);
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> small = files.Checked(Fleet.Model, "a", fingerprint);
        Assert.That(small.Keys, Does.Contain("tokenizer.json").And.Contain("config.json"));
        Assert.That(files.Paths.Except(small.Keys), Is.EqualTo(new[] { "model.safetensors" }), "weights stay where they are");
        byte[] config = files.Contents[Array.IndexOf(files.Paths, "config.json")]!;
        config[^3] ^= 1;
        Assert.That(() => files.Checked(Fleet.Model, "a", fingerprint), Throws.TypeOf<ModelFingerprintException>().With.Message.Contains("what a sent")
            .And.Message.Contains(fingerprint));
    }

    [Test]
    public async Task A_fingerprint_changes_with_a_byte_of_the_weights_and_not_with_a_readme()
    {
        string directory = Directory.CreateTempSubdirectory("fingerprint-").FullName;
        try
        {
            string weights = Path.Combine(directory, "model.safetensors");
            await File.WriteAllBytesAsync(weights, [1, 2, 3]);
            string first = await FingerprintOf(directory);
            await File.WriteAllTextAsync(Path.Combine(directory, "README.md"), "read me");
            Assert.That(await FingerprintOf(directory), Is.EqualTo(first).And.Length.EqualTo(32));
            await File.WriteAllBytesAsync(weights, [1, 2, 4]);
            Assert.That(await FingerprintOf(directory), Is.Not.EqualTo(first));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Test]
    public void Engines_that_are_not_deterministic_are_refused() => Assert.That(
        () => new SiloModels(Fleet.Options with { Host = Fleet.Options.Host with { Generation = new() { Deterministic = false } } }),
        Throws.ArgumentException.With.Message.StartsWith("Host.Generation.Deterministic is false"));

    private static (string Silo, PlacementReason Reason, int Tokens) Choose(PlacementCandidate[] silos, PlacementRequest? request = null)
    {
        PlacementChoice choice = ModelPlacement.Choose(silos, request ?? new PlacementRequest(s_blocks))!;
        return (choice.Silo.Silo, choice.Reason, choice.Tokens);
    }

    private static PlacementCandidate Loaded(string name, int queue, int blocks = 0) => new(name, "same", "Avx2")
    {
        IsLoaded = true, Queue = queue, Prefixes = s_blocks[..blocks].ToHashSet(),
    };

    private static PlacementCandidate Unloaded(string name, long free) => new(name, "same", "Avx2") { NeededBytes = 100, FreeBytes = free };

    private static async Task<string> FingerprintOf(string directory) =>
        (await CheckpointFiles.ReadAsync(directory, "", withContents: false, default)).Fingerprint;
}
