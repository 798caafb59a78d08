using System.Collections.Concurrent;

namespace ManagedTransformers.Serving.Tests;

/// <summary>Models come when they are asked for, stay while they are used, and go where others need the room.</summary>
public sealed class ModelHostTests
{
    private static readonly string[] s_names = ["demo-codegen", "demo-embed", "demo-fill-mask", "demo-language-id", "demo-tag"];

    [Test]
    public async Task Files_say_what_models_can_do_before_any_is_loaded()
    {
        await using ModelHost host = Host(null, s_names);
        Assert.That(host.Models.Select(model => model.Tasks), Is.EqualTo(new[]
        {
            ModelTasks.Generation | ModelTasks.Infill, ModelTasks.Embedding | ModelTasks.FeatureExtraction,
            ModelTasks.FillMask | ModelTasks.Embedding | ModelTasks.FeatureExtraction, ModelTasks.TextClassification, ModelTasks.TokenClassification,
        }));
        Assert.That(host.Models.Select(model => (model.Id, model.Stage)), Is.EqualTo(s_names.Select(name => (name, ModelStage.Unloaded))));
        Assert.That(host.UsedBytes, Is.Zero);
    }

    [Test]
    public async Task Every_model_does_what_its_tasks_say()
    {
        await using ModelHost host = Host(null, s_names);
        using ModelLease codegen = await host.AcquireAsync("demo-codegen"), fillMask = await host.AcquireAsync("demo-fill-mask");
        using ModelLease language = await host.AcquireAsync("demo-language-id"), tag = await host.AcquireAsync("demo-tag");
        int[] prompt = codegen.Generation!.Generator.Tokenizer.EncodeToIds("def f(");
        var request = new GenerationRequest(prompt) { Options = new() { MaxNewTokens = 3 } };
        Assert.That((await codegen.Generation.GenerateAsync(request)).Sequences, Has.Count.EqualTo(1));
        Assert.That((await fillMask.Encoder!.FillMaskAsync(["a = <mask>"]))[0].Masks, Has.Count.EqualTo(1));
        Assert.That((await fillMask.Encoder.EmbedAsync(["a"]))[0].Vector, Is.Not.Empty);
        Assert.That((await language.Encoder!.ClassifyAsync(["def f(): pass"]))[0], Is.Not.Empty);
        Assert.That(await tag.Encoder!.TagAsync(["ada@example.org"]), Has.Count.EqualTo(1));
        Assert.That(codegen.Encoder, Is.Null);
    }

    [Test]
    public async Task Many_who_ask_share_one_load_and_are_told_where_it_stands()
    {
        await using ModelHost host = Host(null, "demo-embed");
        var stages = new Stages();
        ModelLease[] leases = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => host.AcquireAsync("demo-embed", stages))));
        Assert.That(leases.Select(lease => lease.Encoder).Distinct().Count(), Is.EqualTo(1));
        Assert.That(host.Models[0].Users, Is.EqualTo(16));
        Assert.That(stages.Told, Does.Contain(ModelStage.Loaded));
        foreach (ModelLease lease in leases)
        {
            lease.Dispose();
            lease.Dispose();            // the second time does nothing
        }
        Assert.That(host.Models[0].Users, Is.Zero);
    }

    [Test]
    public async Task What_one_who_is_told_throws_is_that_callers_alone_and_the_model_is_loaded()
    {
        await using ModelHost host = Host(null, "demo-embed");
        Task<ModelLease> failing = host.AcquireAsync("demo-embed", new FailingProgress()), other = host.AcquireAsync("demo-embed");
        Assert.That(async () => await failing, Throws.TypeOf<FormatException>().With.Message.EqualTo("told MakingRoom"));
        using ModelLease lease = await other;
        Assert.That(host.Models[0], Has.Property("Stage").EqualTo(ModelStage.Loaded).And.Property("Users").EqualTo(1).And.Property("Problem").Null);
    }

    [Test]
    public async Task The_model_that_was_used_longest_ago_makes_room_and_one_in_use_stays()
    {
        long embed = Bytes("demo-embed"), language = Bytes("demo-language-id"), tag = Bytes("demo-tag");
        await using ModelHost host = Host(embed + language + tag - 1, "demo-embed", "demo-language-id", "demo-tag");
        (await host.AcquireAsync("demo-language-id")).Dispose();
        ModelLease inUse = await host.AcquireAsync("demo-embed");
        Assert.That(host.UsedBytes, Is.EqualTo(embed + language));
        ModelLease second = await host.AcquireAsync("demo-tag");
        Assert.That(host.Models.Select(model => model.Stage), Is.EqualTo(new[] { ModelStage.Loaded, ModelStage.Unloaded, ModelStage.Loaded }));
        Assert.That(async () => await host.AcquireAsync("demo-language-id"), Throws.TypeOf<EngineBusyException>()
            .With.Message.Contains($"needs {language} bytes, and {language - 1} of {embed + language + tag - 1} are free")
            .And.Message.Contains("demo-embed, demo-tag"));
        second.Dispose();
        using ModelLease again = await host.AcquireAsync("demo-language-id");
        Assert.That(host.Models[2].Stage, Is.EqualTo(ModelStage.Unloaded));
        Assert.That((await inUse.Encoder!.EmbedAsync(["a"]))[0].Vector, Is.Not.Empty, "the one in use still works");
        inUse.Dispose();
    }

    [Test]
    public async Task A_model_larger_than_the_limit_is_refused_with_numbers()
    {
        await using ModelHost host = Host(1000, "demo-embed");
        Assert.That(async () => await host.AcquireAsync(), Throws.TypeOf<ModelLoadException>()
            .With.Message.StartsWith($"The model demo-embed needs {Bytes("demo-embed")} bytes").And.Message.Contains("the limit is 1000"));
        Assert.That(host.Models[0], Has.Property("Problem").Contains("the limit is 1000").And.Property("Bytes").EqualTo(0));
    }

    [Test]
    public async Task Unloading_waits_for_the_last_lease_and_who_asks_meanwhile_loads_it_again()
    {
        await using ModelHost host = Host(null, "demo-embed");
        ModelLease first = await host.AcquireAsync();
        Task unloaded = host.UnloadAsync("demo-embed");
        Task<ModelLease> next = host.AcquireAsync();
        Assert.That((unloaded.IsCompleted, next.IsCompleted), Is.EqualTo((false, false)));
        Assert.That(await first.Encoder!.EmbedAsync(["a"]), Has.Count.EqualTo(1));
        EncoderEngine old = first.Encoder;
        first.Dispose();
        await unloaded;
        using ModelLease second = await next;
        Assert.That(second.Encoder, Is.Not.SameAs(old));
        Assert.That(() => old.EmbedAsync(["a"]), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public async Task A_model_that_failed_says_why_and_is_tried_again()
    {
        string directory = Path.Combine(TestContext.CurrentContext.WorkDirectory, Guid.NewGuid().ToString("N"), "late");
        await using var host = new ModelHost(new() { Models = [directory] });
        Assert.That(async () => await host.AcquireAsync("late"), Throws.TypeOf<ModelLoadException>()
            .With.Message.StartsWith("The model late cannot be loaded: There is no directory"));
        Assert.That(host.Models[0].Problem, Does.StartWith("There is no directory"));
        Directory.CreateDirectory(directory);
        foreach (string file in Directory.GetFiles(Model("demo-tag")))
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
        using ModelLease lease = await host.AcquireAsync("late");
        Assert.That(lease.Tasks, Is.EqualTo(ModelTasks.TokenClassification));
        Assert.That(host.Models[0].Problem, Is.Null);
    }

    [Test]
    public async Task A_load_that_fails_when_all_who_waited_have_gone_is_no_unobserved_error()
    {
        var unobserved = new ConcurrentBag<Exception>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs e) => unobserved.Add(e.Exception);
        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            int gone = 0;
            for (int i = 0; i < 20; i++)
                gone += await LeavesAsync() ? 1 : 0;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.That(gone, Is.Positive);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }
        Assert.That(unobserved.Where(error => error.ToString().Contains("nobody-waits", StringComparison.Ordinal)), Is.Empty);
    }

    // True: the caller had gone before the load failed.
    private static async Task<bool> LeavesAsync()
    {
        await using var host = new ModelHost(new() { Models = [Path.Combine(TestContext.CurrentContext.WorkDirectory, "nobody-waits")] });
        try
        {
            using ModelLease lease = await host.AcquireAsync(cancellationToken: new CancellationToken(canceled: true));
        }
        catch (ModelLoadException)
        {
            return false;
        }
        catch (OperationCanceledException)
        {
            while (host.Models[0].Stage != ModelStage.Unloaded)
                await Task.Yield();
        }
        return true;
    }

    [Test]
    public async Task Names_that_are_not_there_get_the_nearest_and_the_hub_is_not_asked()
    {
        await using ModelHost host = Host(null, s_names);
        Assert.That(async () => await host.AcquireAsync("demo-embd"), Throws.TypeOf<UnknownModelException>().With.Message.Contains("demo-embed"));
        string cache = Path.Combine(TestContext.CurrentContext.WorkDirectory, Guid.NewGuid().ToString("N"));
        await using var hub = new ModelHost(new() { Models = ["org/name"], Cache = new Hub.HubCache(cache) });
        Assert.That(async () => await hub.AcquireAsync("org/name"), Throws.TypeOf<ModelLoadException>().With.Message.Contains("not in the hub's cache"));
        Assert.That(() => new ModelHost(new() { Models = ["a/x/same", "b/x/same"] }), Throws.ArgumentException.With.Message.Contains("are both called same"));
    }

    [Test]
    public async Task Loads_unloads_and_uses_at_once_give_right_answers_within_the_limit()
    {
        string[] names = ["demo-embed", "demo-language-id", "demo-tag"];
        long limit = names.Sum(Bytes) - 1;
        await using ModelHost host = Host(limit, names);
        int busy = 0, done = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            for (int i = 0; i < 12; i++)
            {
                string name = names[(worker + i) % 3];
                try
                {
                    using ModelLease lease = await host.AcquireAsync(name);
                    int results = name switch
                    {
                        "demo-embed" => (await lease.Encoder!.EmbedAsync(["a", "b"])).Count,
                        "demo-tag" => (await lease.Encoder!.TagAsync(["a", "b"])).Count,
                        _ => (await lease.Encoder!.ClassifyAsync(["a", "b"])).Count,
                    };
                    Assert.That(results, Is.EqualTo(2));
                    Assert.That(host.UsedBytes, Is.AtMost(limit));
                    Interlocked.Increment(ref done);
                    if (i % 5 == 4)
                        _ = host.UnloadAsync(name);
                }
                catch (EngineBusyException)
                {
                    Interlocked.Increment(ref busy);
                }
            }
        })));
        Assert.That(done + busy, Is.EqualTo(96));
        Assert.That(done, Is.GreaterThan(8));
        await host.DisposeAsync();
        Assert.That(host.UsedBytes, Is.Zero);
        Assert.That(async () => await host.AcquireAsync(), Throws.TypeOf<ObjectDisposedException>());
    }

    private static ModelHost Host(long? limit, params string[] names) => new(new() { Models = [.. names.Select(Model)], MemoryBytes = limit });

    private static string Model(string name) => Path.Combine(RepositoryRoot.Path, "models", name);

    private static long Bytes(string name) => new FileInfo(Path.Combine(Model(name), "model.safetensors")).Length;

    private sealed class FailingProgress : IProgress<ModelStage>
    {
        public void Report(ModelStage value) => throw new FormatException($"told {value}");
    }

    private sealed class Stages : IProgress<ModelStage>
    {
        private readonly List<ModelStage> _told = [];

        public ModelStage[] Told
        {
            get
            {
                lock (_told)
                    return [.. _told];
            }
        }

        public void Report(ModelStage value)
        {
            lock (_told)
                _told.Add(value);
        }
    }
}
