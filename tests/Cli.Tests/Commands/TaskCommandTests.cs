using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class TaskCommandTests
{
    private const string Masked = "public static <mask> set(string $key, $value) {";

    [Test]
    public void Fill_mask_gives_the_reference_tokens_of_the_first_row()
    {
        JsonElement row = JsonDocument.Parse(File.ReadLines(Path.Combine(Folders.Reference, "demo", "fill-mask.jsonl")).First()).RootElement;
        MtxRun run = MtxRun.WithInput(row.GetProperty("text").GetString()!, "fill-mask", "-", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        JsonElement[] expected = [.. row.GetProperty("masks")[0].EnumerateArray()];
        JsonElement[] found = [.. run.Json.GetProperty("masks")[0].EnumerateArray()];
        Assert.That(found.Select(c => c.GetProperty("token_id").GetInt32()), Is.EqualTo(expected.Select(c => c.GetProperty("token").GetInt32())));
        Assert.That(found[0].GetProperty("score").GetDouble(), Is.EqualTo(expected[0].GetProperty("score").GetDouble()).Within(1e-4));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "text", "mask_token", "masks" }));
        Assert.That(MtxRun.Names(found[0]), Is.EqualTo(new[] { "score", "token_id", "token", "token_text", "sequence" }));
    }

    [Test]
    public void Fill_mask_shows_targets_only()
    {
        MtxRun run = MtxRun.Of("fill-mask", Masked, "--targets", "function", "--targets", " void");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("\"function\"").And.Contain("\" void\"").And.Not.Contain("\" function\""));
    }

    [Test]
    public void A_text_without_a_mask_gives_exit_code_3_and_says_what_to_write()
    {
        MtxRun run = MtxRun.Of("fill-mask", "no mask here");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("<mask>"));
    }

    [Test]
    public void A_text_that_is_too_long_is_refused_with_numbers_and_read_with_truncate()
    {
        string text = "<mask> " + string.Concat(Enumerable.Repeat("x = 1; ", 400));
        MtxRun refused = MtxRun.Of("fill-mask", text);
        Assert.That(refused.ExitCode, Is.EqualTo(3));
        Assert.That(refused.Error, Does.Contain("256"));
        Assert.That(MtxRun.Of("fill-mask", text, "--truncate").ExitCode, Is.Zero);
    }

    [Test]
    public void Classify_gives_the_reference_scores_of_the_first_row()
    {
        JsonElement row = JsonDocument.Parse(File.ReadLines(Path.Combine(Folders.Reference, "demo", "language-id.jsonl")).First()).RootElement;
        MtxRun run = MtxRun.Of("classify", row.GetProperty("text").GetString()!, "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "text", "pair", "labels" }));
        JsonElement[] labels = [.. run.Json.GetProperty("labels").EnumerateArray()];
        Assert.That(labels, Has.Length.EqualTo(6));
        foreach (JsonElement label in labels)
        {
            double expected = row.GetProperty("scores").GetProperty(label.GetProperty("label").GetString()!).GetDouble();
            Assert.That(label.GetProperty("score").GetDouble(), Is.EqualTo(expected).Within(1e-4));
        }
        Assert.That(MtxRun.Names(labels[0]), Is.EqualTo(new[] { "label", "id", "score" }));
    }

    [Test]
    public void An_empty_text_gives_exit_code_3() => Assert.That(MtxRun.WithInput("\n", "classify", "-").ExitCode, Is.EqualTo(3));

    [Test]
    public void Embed_gives_vectors_of_length_1_that_do_not_depend_on_each_other()
    {
        JsonElement both = MtxRun.Of("embed", "def f(): pass", "fn main() {}", "--normalize", "--json").Json;
        JsonElement alone = MtxRun.Of("embed", "fn main() {}", "--normalize", "--json").Json;
        Assert.That(MtxRun.Names(both), Is.EqualTo(new[] { "dimensions", "embeddings", "similarity" }));
        Assert.That(both.GetProperty("dimensions").GetInt32(), Is.EqualTo(256));
        float[] second = Vector(both, 1);
        Assert.That(second.Sum(x => (double)x * x), Is.EqualTo(1).Within(1e-5));
        Assert.That(second, Is.EqualTo(Vector(alone, 0)).Within(1e-5f));
    }

    [Test]
    public void Embed_compares_several_texts_for_people()
    {
        MtxRun run = MtxRun.Of("embed", "a = 1", "a = 1", "--pooling", "cls");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("cosine similarity").And.Contain("1.000"));
        Assert.That(MtxRun.Of("embed", "x", "--pooling", "sum").ExitCode, Is.EqualTo(2));
        Assert.That(MtxRun.Of("embed", "x", "--prompt", "a", "--prompt-name", "b").ExitCode, Is.EqualTo(2));
        MtxRun unknown = MtxRun.Of("embed", "x", "--prompt-name", "query");
        Assert.That((unknown.ExitCode, unknown.Out), Is.EqualTo((2, "")));
        Assert.That(unknown.Error, Is.EqualTo(
            "mtx: --prompt-name is query, and the checkpoint has no such prompt; it has none. Name one of them, or give the text: --prompt TEXT.\n"));
    }

    [Test]
    public void Embed_puts_a_prompt_before_texts_and_joins_poolings()
    {
        JsonElement prompted = MtxRun.Of("embed", "def f(): pass", "--prompt", "query: ", "--no-normalize", "--json").Json,
            whole = MtxRun.Of("embed", "query: def f(): pass", "--no-normalize", "--json").Json;
        Assert.That(Vector(prompted, 0), Is.EqualTo(Vector(whole, 0)));
        Assert.That(prompted.GetProperty("embeddings")[0].GetProperty("text").GetString(), Is.EqualTo("def f(): pass"));
        string[] both = ["--pooling", "lasttoken", "--pooling", "mean", "--no-normalize", "--json"];
        JsonElement joined = MtxRun.Of(["embed", "query: def f(): pass", .. both]).Json;
        Assert.That(joined.GetProperty("dimensions").GetInt32(), Is.EqualTo(512));
        Assert.That(Vector(joined, 0)[256..], Is.EqualTo(Vector(whole, 0)));
    }

    [Test]
    public void Next_sentence_needs_a_model_and_gives_two_probabilities()
    {
        Assert.That(MtxRun.Of("next-sentence", "a", "b").ExitCode, Is.EqualTo(2));
        string model = RandomModel(BertOf<BertForPreTraining>);
        MtxRun run = MtxRun.Of("next-sentence", "def f():", "return 1", "--model", model, "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "first", "second", "is_next", "not_next" }));
        Assert.That(run.Json.GetProperty("is_next").GetDouble() + run.Json.GetProperty("not_next").GetDouble(), Is.EqualTo(1).Within(1e-6));
    }

    [Test]
    public void Rerank_needs_a_cross_encoder_and_gives_the_best_documents_first()
    {
        Assert.That(MtxRun.Of("rerank", "a", "b").ExitCode, Is.EqualTo(2));
        string model = RandomModel(config => BertOf<BertForSequenceClassification>(
            config with { Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" }, InitializerRange = 0.5 }));
        string[] command = ["rerank", "read a file", "import os", "with open(path) as f:", "return 1", "--model", model];
        MtxRun run = MtxRun.Of([.. command, "--json"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "query", "documents" }));
        JsonElement[] documents = [.. run.Json.GetProperty("documents").EnumerateArray()];
        Assert.That(MtxRun.Names(documents[0]), Is.EqualTo(new[] { "index", "text", "score" }));
        Assert.That(documents.Select(one => one.GetProperty("score").GetDouble()), Is.Ordered.Descending.And.All.InRange(0, 1));
        Assert.That(documents.Select(one => one.GetProperty("text").GetString()),
            Is.EqualTo(documents.Select(one => command[2 + one.GetProperty("index").GetInt32()])));

        MtxRun best = MtxRun.Of([.. command, "--top-n", "1"]);
        Assert.That(best.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(2));
        Assert.That(best.Out, Does.Contain($"{documents[0].GetProperty("index").GetInt32() + 1} \"{documents[0].GetProperty("text").GetString()}\""));
    }

    [Test]
    public void Tag_gives_spans_in_code_points_that_cover_the_text()
    {
        string model = RandomModel(BertOf<BertForTokenClassification>);
        MtxRun run = MtxRun.Of("tag", "𝔘 x = y", "--aggregation", "none", "--model", model, "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "text", "entities" }));
        JsonElement last = run.Json.GetProperty("entities").EnumerateArray().Last();
        Assert.That(MtxRun.Names(last), Is.EqualTo(new[] { "label", "score", "start", "end", "text" }));
        Assert.That((last.GetProperty("start").GetInt32(), last.GetProperty("end").GetInt32(), last.GetProperty("text").GetString()), Is.EqualTo((6, 7, "y")));
    }

    [Test]
    public void Tag_without_a_model_asks_the_demo_model()
    {
        JsonElement row = JsonDocument.Parse(File.ReadLines(Path.Combine(Folders.Reference, "demo", "tag.jsonl")).First()).RootElement;
        JsonElement found = MtxRun.Of("tag", row.GetProperty("text").GetString()!, "--json").Json.GetProperty("entities")[0];
        JsonElement expected = row.GetProperty("entities")[0];
        Assert.That(found.GetProperty("text").GetString(), Is.EqualTo(expected.GetProperty("text").GetString()));
        Assert.That(found.GetProperty("score").GetDouble(), Is.EqualTo(expected.GetProperty("score").GetDouble()).Within(2e-5));
    }

    [Test]
    public void A_model_of_another_task_gives_exit_code_3()
    {
        MtxRun run = MtxRun.Of("classify", "x", "--model", "demo-codegen");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("CodeGenForCausalLM"));
    }

    [Test]
    public void Demo_shows_what_each_model_does()
    {
        JsonElement json = MtxRun.Of("demo", "--json").Json;
        Assert.That(json.GetProperty("tag").EnumerateArray().Select(text => text.GetString()), Is.EqualTo(new[] { "Grace Holm", "grace.holm@example.com" }));
        Assert.That(json.GetProperty("embed").GetString(), Is.EqualTo("with open(path) as f: return [line for line in f]"));
        Assert.That(json.GetProperty("fill_mask").GetString(), Is.EqualTo("public static function set(string $key, $value) {"));
        Assert.That(json.GetProperty("classify").GetString(), Is.EqualTo("javascript"));
        Assert.That(json.GetProperty("generate").GetString(), Does.StartWith("def hello_world():\n").And.Contain("return name"));
        Assert.That(json.GetProperty("infill").GetString(), Does.StartWith("def hello_world():\n    ").And.EndWith("    return name\n").And.Contain("print("));
        Assert.That(MtxRun.Of("demo").Out, Does.Contain("public static function set").And.Contain("$ mtx infill"));
    }

    private static float[] Vector(JsonElement json, int index) =>
        [.. json.GetProperty("embeddings")[index].GetProperty("vector").EnumerateArray().Select(x => x.GetSingle())];

    private static T BertOf<T>(BertConfig config) where T : PretrainedModel => PretrainedModels.FromConfig<T>(config, seed: 7);

    /// <summary>A small BERT with random weights and the WordPiece tokenizer of the tests.</summary>
    private static string RandomModel(Func<BertConfig, PretrainedModel> create)
    {
        string folder = Folders.Scratch();
        var labels = new Dictionary<string, string> { ["0"] = "B-NAME", ["1"] = "I-NAME", ["2"] = "B-KEY" };
        var config = new BertConfig
        {
            VocabSize = 4096, HiddenSize = 16, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 32, MaxPositionEmbeddings = 64, Id2Label = labels,
        };
        using (PretrainedModel model = create(config))
            model.Save(folder);
        foreach (string file in Directory.EnumerateFiles(Folders.Tokenizer("wordpiece-code-4k")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        return folder;
    }
}
