using System.Text;
using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

[TestFixture("demo-codegen")]
[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class GenerationSessionTests(string model)
{
    private const string File = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n";
    private static readonly GenerationOptions s_short = new() { MaxNewTokens = 12 };
    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load() => _generator = TinyDecoder.Generator(model);

    [OneTimeTearDown]
    public void Dispose()
    {
        _generator.Dispose();
        _generator.CausalLM.Dispose();
    }

    [Test]
    public void A_prompt_that_continues_the_session_computes_only_the_rest()
    {
        using GenerationSession session = _generator.CreateSession();
        GenerationOutput first = session.Generate(File, s_short);
        int[] prompt = _generator.Tokenizer.Encode(File).Ids;
        Assert.That((first.Usage.PromptTokens, first.Usage.CachedTokens), Is.EqualTo((prompt.Length, 0)));
        Assert.That(session.TokenIds, Is.EqualTo(prompt.Concat(first.Sequences[0].TokenIds).SkipLast(1)),
            "all but the last token, which was chosen but not read");

        string more = File + first.Sequences[0].Text + "\n\ndef mul(a, b):\n";
        // What is held of the new text's tokens: tokens that a random model writes may be others when their text is read again.
        int common = session.TokenIds.ToArray().AsSpan().CommonPrefixLength(_generator.Tokenizer.Encode(more).Ids);
        GenerationOutput second = session.Generate(more, s_short);
        Assert.That(second.Usage.CachedTokens, Is.EqualTo(common).And.GreaterThan(model == "demo-codegen" ? prompt.Length : prompt.Length - 2));
        Assert.That(second.Sequences[0].Text, Is.EqualTo(_generator.Generate(more, s_short)));
        Assert.That(second.Sequences[0].Text, Is.Not.Empty);
    }

    [Test]
    public void A_prompt_that_changed_in_the_middle_keeps_what_stands_before()
    {
        using GenerationSession session = _generator.CreateSession();
        session.Generate(File, s_short);
        string changed = File.Replace("sub", "mul", StringComparison.Ordinal);
        GenerationOutput output = session.Generate(changed, s_short);
        int common = _generator.Tokenizer.Encode(File).Ids.AsSpan().CommonPrefixLength(_generator.Tokenizer.Encode(changed).Ids);
        Assert.That(output.Usage.CachedTokens, Is.EqualTo(common).And.GreaterThan(5));
        Assert.That(output.Sequences[0].Text, Is.EqualTo(_generator.Generate(changed, s_short)));
        Assert.That(session.Generate(changed, s_short).Usage.CachedTokens, Is.EqualTo(output.Usage.PromptTokens - 1),
            "the last token is computed again: its scores are wanted");
    }

    [Test]
    public async Task Streamed_pieces_are_what_is_generated_and_the_session_continues()
    {
        using GenerationSession session = _generator.CreateSession();
        var text = new StringBuilder();
        TextPiece? last = null;
        await foreach (TextPiece piece in session.StreamAsync(File, s_short))
            text.Append((last = piece).Text);
        Assert.That(text.ToString(), Is.EqualTo(_generator.Generate(File, s_short)));
        Assert.That((last!.FinishReason, last.Usage!.NewTokens), Is.EqualTo(((FinishReason?)FinishReason.Length, 12)));
        Assert.That(session.Generate(File + text, s_short).Usage.CachedTokens, Is.GreaterThan(0));
    }

    [Test]
    public void Several_texts_and_beams_share_what_the_session_holds()
    {
        using GenerationSession session = _generator.CreateSession();
        session.Generate(File, s_short);
        var sampling = s_short with { DoSample = true, Seed = 1, NumReturnSequences = 5 };
        GenerationOutput several = session.Generate(File, sampling);
        int length = several.Usage.PromptTokens / 5;
        Assert.That(several.Usage.CachedTokens, Is.EqualTo(5 * length - 1));
        Assert.That(several.Sequences.Select(one => one.Text), Is.EqualTo(_generator.Generate([File], sampling)));
        var beams = s_short with { NumBeams = 3 };
        Assert.That(session.Generate(File, beams).Sequences[0].Text, Is.EqualTo(_generator.Generate(File, beams)));
        Assert.That(session.TokenIds, Has.Count.EqualTo(length));
    }

    [Test]
    public void A_fork_goes_its_own_way()
    {
        using GenerationSession session = _generator.CreateSession();
        session.Generate(File, s_short);
        using GenerationSession fork = session.Fork();
        Assert.That(fork.TokenIds, Is.EqualTo(session.TokenIds));
        const string other = "class Stack:\n";
        session.Generate(other, s_short);
        GenerationOutput output = fork.Generate(File, s_short);
        Assert.That(output.Usage.CachedTokens, Is.EqualTo(output.Usage.PromptTokens - 1));
        Assert.That(output.Sequences[0].Text, Is.EqualTo(_generator.Generate(File, s_short)));
    }

    [Test]
    public void A_saved_session_continues_where_it_was()
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"session-{model}.safetensors");
        using GenerationSession session = _generator.CreateSession(), other = _generator.CreateSession();
        session.Generate(File, s_short);
        session.Save(path);
        other.Generate("class Stack:\n", s_short);
        other.Load(path);
        Assert.That(other.TokenIds, Is.EqualTo(session.TokenIds));
        GenerationOutput output = other.Generate(File, s_short);
        Assert.That(output.Usage.CachedTokens, Is.EqualTo(output.Usage.PromptTokens - 1));
        Assert.That(output.Sequences[0].TokenIds, Is.EqualTo(session.Generate(File, s_short).Sequences[0].TokenIds));
    }

    [Test]
    public void A_session_of_another_model_version_or_length_is_refused_and_nothing_is_lost()
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"refused-{model}.safetensors");
        using ICausalLM other = PretrainedModels.FromConfig<ICausalLM>(_generator.CausalLM.Config, seed: 1);
        using TextGenerator stranger = TextGenerator.Create(other, _generator.Tokenizer);
        using GenerationSession session = _generator.CreateSession(), foreign = stranger.CreateSession();
        using GenerationSession small = _generator.CreateSession(new SessionOptions { MaxLength = 8 });
        session.Generate(File, s_short);
        session.Save(path);
        foreign.Generate("x", s_short);
        int[] held = [.. foreign.TokenIds];
        Assert.That(() => foreign.Load(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("another model"));
        Assert.That(foreign.TokenIds, Is.EqualTo(held));
        Assert.That(() => small.Load(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("at most 8"));
        byte[] bytes = System.IO.File.ReadAllBytes(path);
        int version = Encoding.Latin1.GetString(bytes).IndexOf("\"version\":\"1\"", StringComparison.Ordinal);
        bytes[version + 11] = (byte)'9';
        System.IO.File.WriteAllBytes(path, bytes);
        Assert.That(() => session.Load(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("version is 9"));
        System.IO.File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        Assert.That(() => session.Load(path), Throws.TypeOf<CheckpointException>());
        System.IO.File.Copy(Path.Combine(TestData.Model("demo-codegen"), "model.safetensors"), path, overwrite: true);
        Assert.That(() => session.Load(path), Throws.TypeOf<CheckpointException>().With.Message.Contains("format"));
    }

    [Test]
    public void Prompts_that_the_session_cannot_hold_are_refused_with_the_numbers()
    {
        using GenerationSession small = _generator.CreateSession(new SessionOptions { MaxLength = 16 });
        Assert.That(() => small.Generate(File, s_short), Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 16"));
        Assert.That(() => _generator.CreateSession(new SessionOptions { BatchSize = 2 }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("BatchSize is 2"));
        Assert.That(small.Generate("x =", s_short with { MaxNewTokens = 4 }).Sequences[0].TokenIds, Has.Count.GreaterThan(0));
    }

    [Test]
    public async Task A_cancelled_call_leaves_the_session_usable()
    {
        using GenerationSession session = _generator.CreateSession();
        using var source = new CancellationTokenSource();
        async Task Consume()
        {
            await foreach (TextPiece _ in session.StreamAsync(File, new GenerationOptions { MaxNewTokens = 40 }, source.Token))
                await source.CancelAsync();
        }
        await Assert.ThatAsync(Consume, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => session.Generate(File, s_short, source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(session.Generate(File, s_short).Sequences[0].Text, Is.EqualTo(_generator.Generate(File, s_short)));
    }

    [Test]
    public async Task A_second_call_while_one_runs_is_refused()
    {
        using GenerationSession session = _generator.CreateSession();
        await using IAsyncEnumerator<TextPiece> stream = session.StreamAsync(File, s_short).GetAsyncEnumerator();
        await stream.MoveNextAsync();
        Assert.That(() => session.Generate(File, s_short), Throws.TypeOf<InvalidOperationException>().With.Message.Contains("fork"));
        Assert.That(() => session.Fork(), Throws.TypeOf<InvalidOperationException>());
    }
}
