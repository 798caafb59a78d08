using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ManagedTransformers.Tokenizers;

/// <summary>Writes a BPE model as vocab.json and merges.txt.</summary>
internal static class VocabularyWriter
{
    public static IReadOnlyList<string> Write(Bpe model, string directory, string? filenamePrefix)
    {
        ArgumentNullException.ThrowIfNull(directory);
        if (!Directory.Exists(directory)) throw new TokenizerException($"Vocabulary path ({directory}) should be a directory that exists. Create it first.");
        string prefix = string.IsNullOrEmpty(filenamePrefix) ? "" : filenamePrefix + "-";
        if (prefix.AsSpan().ContainsAny('/', '\\'))
            throw new TokenizerException($"The filename prefix {Vocabulary.Show(filenamePrefix)} has a path separator in it; " +
                $"files are written to {directory} only.");
        string merges = Merges(model);
        string vocabPath = Path.Combine(directory, prefix + TokenizerFiles.VocabJson);
        string mergesPath = Path.Combine(directory, prefix + TokenizerFiles.MergesTxt);
        File.WriteAllBytes(vocabPath, Vocab(model.Vocabulary));
        File.WriteAllText(mergesPath, merges);
        return [vocabPath, mergesPath];
    }

    private static byte[] Vocab(Vocabulary vocabulary)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            foreach ((string token, int id) in vocabulary.Ids.OrderBy(entry => entry.Value)) json.WriteNumber(token, id);
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }

    private static string Merges(Bpe model)
    {
        var text = new StringBuilder("#version: 0.2\n");
        foreach ((int left, int right, _) in model.Merges.Ranked)
        {
            string a = model.Vocabulary.TokenOf(left)!, b = model.Vocabulary.TokenOf(right)!;
            if ((a + b).AsSpan().ContainsAny(' ', '\n', '\r'))
                throw new TokenizerException($"The merge of {Vocabulary.Show(a)} and {Vocabulary.Show(b)} has white space in it, " +
                    "which merges.txt has no way to say. Keep tokenizer.json.");
            text.Append(a).Append(' ').Append(b).Append('\n');
        }
        return text.ToString();
    }
}
