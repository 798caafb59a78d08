namespace ManagedTransformers.Server.Tests;

/// <summary>POST /tokenize and /detokenize of llama.cpp.</summary>
public sealed class LlamaTokenizeTests : LlamaTests
{
    // llama.vscode counts tokens so.
    [Test]
    public async Task Tokens_are_the_tokenizers()
    {
        int[] own = Generator.Tokenizer.EncodeToIds("def f(x):\n    return x", options: EncodeOptions.Plain);
        JsonElement answer = await Server.PostAsync("/tokenize", """{"content": "def f(x):\n    return x", "add_special": false, "parse_special": true}""");
        Assert.That(Ids(answer), Is.EqualTo(own));
        Assert.That(Ids(await Server.PostAsync("/tokenize", """{"content": ["def f(x):\n    return x", 7, "def f(x):\n    return x"]}""")),
            Is.EqualTo(own.Append(7).Concat(own)));
        Assert.That(await Server.PostRawAsync("/tokenize", "{}"), Is.EqualTo("""{"tokens":[]}"""));
        using var other = SentenceEmbeddingPipeline.Load(LlamaServer.ModelPath("demo-embed"));
        Assert.That(Ids(await Server.PostAsync("/tokenize", """{"model": "demo-embed", "content": "def f(x):"}""")),
            Is.EqualTo(other.Tokenizer.EncodeToIds("def f(x):", options: EncodeOptions.Plain)));
    }

    [Test]
    public async Task Special_tokens_are_added_and_parsed_as_asked()
    {
        Assert.That(Ids(await Server.PostAsync("/tokenize", """{"content": "<|endoftext|>"}""")),
            Is.EqualTo(new[] { Generator.Tokenizer.SpecialTokens.EosTokenId!.Value }));
        int[] text = Ids(await Server.PostAsync("/tokenize", """{"content": "<|endoftext|>", "parse_special": false}"""));
        Assert.That((text.Length > 1, Generator.Tokenizer.Decode(text)), Is.EqualTo((true, "<|endoftext|>")));
        using var other = SentenceEmbeddingPipeline.Load(LlamaServer.ModelPath("demo-embed"));
        int[] special = Ids(await Server.PostAsync("/tokenize", """{"model": "demo-embed", "content": "def f(x):", "add_special": true}"""));
        Assert.That(special, Is.EqualTo(other.Tokenizer.EncodeToIds("def f(x):")));
        Assert.That(special, Has.Length.GreaterThan(other.Tokenizer.EncodeToIds("def f(x):", options: EncodeOptions.Plain).Length));
    }

    [Test]
    public async Task Pieces_are_texts_or_bytes()
    {
        JsonElement answer = await Server.PostAsync("/tokenize", """{"content": " x = '日本🙂'", "with_pieces": true}""");
        JsonElement[] pieces = [.. answer.GetProperty("tokens").EnumerateArray()];
        Assert.That(pieces.Select(one => Count(one, "id")), Is.EqualTo(Generator.Tokenizer.EncodeToIds(" x = '日本🙂'", options: EncodeOptions.Plain)));
        byte[] bytes = [.. pieces.Select(one => one.GetProperty("piece")).SelectMany(piece => piece.ValueKind == JsonValueKind.String
            ? Encoding.UTF8.GetBytes(piece.GetString()!) : [.. piece.EnumerateArray().Select(part => part.GetByte())])];
        Assert.That(Encoding.UTF8.GetString(bytes), Is.EqualTo(" x = '日本🙂'"));
        Assert.That(pieces.Select(one => one.GetProperty("piece").ValueKind).Distinct(), Is.EquivalentTo(new[] { JsonValueKind.String, JsonValueKind.Array }));
    }

    [Test]
    public async Task Text_of_tokens_is_the_tokenizers()
    {
        int[] ids = Generator.Tokenizer.EncodeToIds("x = '日'<|endoftext|>", options: EncodeOptions.Plain);
        Assert.That(Content(await Server.PostAsync("/detokenize", $$"""{"tokens": [{{string.Join(',', ids)}}]}""")), Is.EqualTo("x = '日'<|endoftext|>"));
        int[] broken = Generator.Tokenizer.EncodeToIds("日", options: EncodeOptions.Plain);
        Assert.That(Content(await Server.PostAsync("/detokenize", $$"""{"tokens": [{{broken[0]}}]}""")), Is.EqualTo("\uFFFD"));
        Assert.That(await Server.PostRawAsync("/detokenize", "{}"), Is.EqualTo("""{"content":""}"""));
        using var other = SentenceEmbeddingPipeline.Load(LlamaServer.ModelPath("demo-embed"));
        int[] special = other.Tokenizer.EncodeToIds("def f(x):");
        Assert.That(Content(await Server.PostAsync("/detokenize", $$"""{"model": "demo-embed", "tokens": [{{string.Join(',', special)}}]}""")),
            Is.EqualTo(other.Tokenizer.Decode(special)));
    }
}
