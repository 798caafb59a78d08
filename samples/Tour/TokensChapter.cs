using System.Text.Json;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Tour;

/// <summary>Chapter 1: bytes, merges, ids, offsets.</summary>
internal static class TokensChapter
{
    private const string Text = "return café";

    public static void Write(Page page)
    {
        Tokenizer tokenizer = Demo.TokenizerOf("demo-codegen");
        TokenEncoding encoding = tokenizer.Encode(Text, pair: null, Demo.Plain);

        page.Begin("tokens-bytes");
        page.Line($"{"character",-10} {"bytes",-6} stand-in");
        foreach (char c in " café")
        {
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(c.ToString());
            string standIns = string.Concat(bytes.Select(b => b == ' ' ? 'Ġ' : (char)b));
            page.Line($"{(c == ' ' ? "(space)" : c.ToString()),-10} {Convert.ToHexString(bytes),-6} {standIns}");
        }

        page.Begin("tokens-merges");
        List<string> tokens = [.. WriteMerges(page, "return"), .. WriteMerges(page, " café")];
        if (!encoding.Tokens.SequenceEqual(tokens))
            throw new InvalidOperationException($"The tokenizer gives {string.Join(' ', encoding.Tokens)}, the merges {string.Join(' ', tokens)}.");

        page.Begin("tokens-ids");
        page.Line($"{"token",-10} {"id",5} {"from",5} {"to",3} word");
        for (int i = 0; i < encoding.Length; i++)
        {
            (int start, int end) = encoding.Offsets[i];
            page.Line($"{encoding.Tokens[i],-10} {encoding.Ids[i],5} {start,5} {end,3} {encoding.WordIds[i],4}");
        }

        page.Begin("tokens-back");
        page.Line($"{tokenizer.Decode(encoding.Ids)}");
    }

    private static List<string> WriteMerges(Page page, string word)
    {
        List<string> symbols = [.. System.Text.Encoding.UTF8.GetBytes(word).Select(b => b == ' ' ? "Ġ" : ((char)b).ToString())];
        page.Line($"{"start",-24} {string.Join(" | ", symbols)}");
        foreach ((int rank, string left, string right) in MergeAll(symbols))
            page.Line($"rank {rank,4}  {left,4} + {right,-5} {string.Join(" | ", symbols)}");
        return symbols;
    }

    /// <summary>
    /// Byte pair encoding in its plainest form: while a pair of neighbours is in the list of merges, join the one that stands first in the list.
    /// </summary>
    private static IEnumerable<(int Rank, string Left, string Right)> MergeAll(List<string> symbols)
    {
        Dictionary<(string, string), int> ranks = ReadMerges();
        while (true)
        {
            (int best, int rank) = (-1, int.MaxValue);
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (ranks.TryGetValue((symbols[i], symbols[i + 1]), out int found) && found < rank)
                    (best, rank) = (i, found);
            }
            if (best < 0)
                yield break;
            (string left, string right) = (symbols[best], symbols[best + 1]);
            symbols[best] = left + right;
            symbols.RemoveAt(best + 1);
            yield return (rank, left, right);
        }
    }

    private static Dictionary<(string, string), int> ReadMerges()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Demo.Folder("demo-codegen"), "tokenizer.json")));
        var ranks = new Dictionary<(string, string), int>();
        foreach (JsonElement merge in json.RootElement.GetProperty("model").GetProperty("merges").EnumerateArray())
        {
            string[] pair = merge.GetString()!.Split(' ');
            ranks.Add((pair[0], pair[1]), ranks.Count);
        }
        return ranks;
    }
}
