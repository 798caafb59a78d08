using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 10: filling a gap with a model that only goes on.</summary>
internal static class InfillingChapter
{
    private const string Prefix = "def hello_world():\n    ", Suffix = "    return name";

    public static void Write(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        using CodeGenForCausalLM model = Demo.CodeGen();
        using TextGenerator generator = TextGenerator.Create(model, tokenizer);

        int Special(string token) => tokenizer.TokenToId(token)!.Value;
        int[] Ids(string text) => tokenizer.Encode(text, pair: null, Demo.Plain).Ids;
        int[] prompt = [.. Ids(Prefix), Special("<mask_1>"), .. Ids(Suffix), Special("<|endoftext|>"), Special("<sep>"), Special("<mask_1>")];
        page.Begin("infilling-prompt");
        (string, int[])[] parts =
        [
            ("prefix", Ids(Prefix)), ("gap", [Special("<mask_1>")]), ("suffix", Ids(Suffix)),
            ("end", [Special("<|endoftext|>")]), ("question", [Special("<sep>"), Special("<mask_1>")]),
        ];
        foreach ((string part, int[] ids) in parts)
            page.Line($"{part,-9} {string.Join(' ', ids.Zip(Demo.Tokens(tokenizer, ids), (id, token) => $"{token}:{id}"))}");

        var greedy = new GenerationOptions { MaxNewTokens = 24, DoSample = false, EosTokenId = [Special("<eom>")] };
        int[] answer = [.. generator.GenerateSequences([prompt], greedy).Sequences[0].TokenIds];
        page.Begin("infilling-answer");
        page.Line($"{string.Join(' ', answer.Zip(Demo.Tokens(tokenizer, answer), (id, token) => $"{token}:{id}"))}");

        string middle = generator.Infill(Prefix, Suffix);
        page.Begin("infilling-text");
        page.Line($"{Prefix}{middle}\n{Suffix}");
        string byHand = tokenizer.Decode(answer.AsSpan(0, answer.Length - 1));      // without <eom>
        if (byHand != middle)
            throw new InvalidOperationException($"Infill wrote '{middle}', the prompt by hand '{byHand}'.");
    }
}
