using System.Text.Json;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Cli.Tests;

/// <summary>Sentence models and cross-encoders in the form in which they are published, through mtx.</summary>
[TestFixture]
internal sealed class PublishedCheckpointCommandTests
{
    private static readonly string[] s_sentenceModels =
    [
        "all-MiniLM-L6-v2", "all-mpnet-base-v2", "paraphrase-multilingual-MiniLM-L12-v2", "multilingual-e5-small", "bge-small-en-v1.5", "LaBSE",
    ];

    [TestCaseSource(nameof(s_sentenceModels))]
    public void It_is_embedded_inspected_and_verified_without_a_word(string name)
    {
        string folder = PublishedCheckpoint.Write(name, Folders.Scratch());
        MtxRun embed = MtxRun.Of("embed", "def add(a, b):", "--model", folder, "--json"), inspect = MtxRun.Of("inspect", folder);
        Assert.That((embed.ExitCode, embed.Error), Is.EqualTo((0, "")));
        using (SentenceEmbeddingPipeline pipeline = SentenceEmbeddingPipeline.Load(folder))
            Assert.That(Numbers(embed.Json), Is.EqualTo(pipeline.Embed("def add(a, b):")).Within(1e-6));
        Assert.That((inspect.ExitCode, inspect.Error), Is.EqualTo((0, "")));
        Assert.That(inspect.Out, Does.Not.Contain("cannot run"));

        PutExpected(folder);
        MtxRun verify = MtxRun.Of("verify", folder);
        Assert.That(verify.ExitCode, Is.EqualTo(0), verify.Out + verify.Error);
        Assert.That(verify.Out, Does.Contain("last_hidden_state").And.Contain("pooling.mean").And.Contain("1 of 1 cases pass"));
    }

    [Test]
    public void A_class_whose_head_is_not_there_is_opened_without_it_and_says_so()
    {
        string folder = PublishedCheckpoint.Write("all-mpnet-base-v2", Folders.Scratch());
        const string says = "names MPNetForMaskedLM, but the files lack tensors of its head (lm_head.dense.weight";
        MtxRun inspect = MtxRun.Of("inspect", folder), strict = MtxRun.Of("inspect", folder, "--strict");
        MtxRun fill = MtxRun.Of("fill-mask", "<mask>", "--model", folder);
        Assert.That(inspect.Out, Does.Contain("architecture MPNetModel").And.Contain(says));
        Assert.That(strict.ExitCode, Is.EqualTo(1));
        Assert.That(strict.Out, Does.Contain("MPNetForMaskedLM, cannot run"));
        Assert.That(fill.ExitCode, Is.EqualTo(3));
        Assert.That(fill.Error, Does.Contain("lm_head.dense.weight"));

        string target = Path.Combine(folder, "half");
        MtxRun convert = MtxRun.Of("convert", folder, target, "--dtype", "f16");
        Assert.That((convert.ExitCode, convert.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Of("inspect", target).ExitCode, Is.Zero);
    }

    [TestCase("ms-marco-MiniLM-L-6-v2")]
    [TestCase("ms-marco-MiniLM-L-6-v2-2021")]
    [TestCase("reranker-5.4")]
    public void It_reranks_and_is_inspected_without_a_word(string name)
    {
        string folder = PublishedCheckpoint.Write(name, Folders.Scratch());
        MtxRun rerank = MtxRun.Of("rerank", "add", "return 1", "def add(a, b):", "--model", folder, "--json"), inspect = MtxRun.Of("inspect", folder);
        Assert.That((rerank.ExitCode, rerank.Error), Is.EqualTo((0, "")));
        using RerankPipeline pipeline = RerankPipeline.Load(folder);
        Assert.That(rerank.Json.GetProperty("documents").EnumerateArray().Select(one => one.GetProperty("score").GetSingle()),
            Is.EqualTo(pipeline.Rank("add", ["return 1", "def add(a, b):"]).Select(one => one.Score)).Within(1e-6));
        Assert.That((inspect.ExitCode, inspect.Error), Is.EqualTo((0, "")));
    }

    private static float[] Numbers(JsonElement embedded) => embedded.ValueKind switch
    {
        JsonValueKind.Array when embedded.GetArrayLength() == 32 => [.. embedded.EnumerateArray().Select(number => number.GetSingle())],
        JsonValueKind.Array => Numbers(embedded[0]),
        _ => Numbers(embedded.EnumerateObject().First(property => property.Value.ValueKind == JsonValueKind.Array).Value),
    };

    /// <summary>Outputs for mtx verify, from the Reference level.</summary>
    private static void PutExpected(string folder)
    {
        int[] ids = [2, 17, 300, 5, 3];
        using IBaseModel model = PretrainedModels.Load<IBaseModel>(folder, new LoadOptions { Kernels = new KernelOptions { Level = KernelLevel.Reference } });
        using Session session = model.CreateSession();
        float[] hidden = model.Forward(ModelInputs.Of(ids), session).LastHiddenState.ToArray();
        float[] mean = [.. Enumerable.Range(0, 32).Select(i => Enumerable.Range(0, ids.Length).Average(t => hidden[(t * 32) + i]))];
        SafetensorsWriter.Write(Path.Combine(folder, "expected.safetensors"),
        [
            TensorEntry.Create("input_ids", [1, ids.Length], ids.Select(id => (long)id).ToArray()),
            TensorEntry.Create("attention_mask", [1, ids.Length], ids.Select(_ => 1L).ToArray()),
            TensorEntry.Create("last_hidden_state", [1, ids.Length, 32], hidden), TensorEntry.Create("pooling.mean", [1, 32], mean),
        ]);
    }
}
