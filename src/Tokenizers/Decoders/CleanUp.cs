using System.Text;

namespace ManagedTransformers.Tokenizers;

/// <summary>Takes out the spaces that a tokenizer put before punctuation and English contractions.</summary>
internal static class CleanUp
{
    /// <summary>clean_up_tokenization of transformers.</summary>
    public static string Transformers(string text)
    {
        if (!text.Contains(' ', StringComparison.Ordinal)) return text;
        return Start(text).Replace(" n't", "n't").Replace(" 'm", "'m").Replace(" 's", "'s").Replace(" 've", "'ve").Replace(" 're", "'re").ToString();
    }

    /// <summary>cleanup of the library's WordPiece decoder, which has one rule more.</summary>
    public static string WordPiece(string text)
    {
        if (!text.Contains(' ', StringComparison.Ordinal)) return text;
        return Start(text).Replace(" n't", "n't").Replace(" 'm", "'m").Replace(" do not", " don't")
            .Replace(" 's", "'s").Replace(" 've", "'ve").Replace(" 're", "'re").ToString();
    }

    /// <summary>How much of a text can be cleaned on its own, whatever follows it: a rule begins with a space and is at most four characters long, so no rule
    /// reaches over a place with three characters before it that are no space, nor over one after a space and a character that no rule has there.</summary>
    public static int SafeLength(ReadOnlySpan<char> text)
    {
        for (int end = text.Length; end > 0; end--)
        {
            if (text[end - 1] == ' ') continue;
            int space = text[..end].LastIndexOf(' ');
            if (space < 0 || end - space > 3 || !MayBeRemoved(text, space)) return end;
        }
        return 0;
    }

    // A space that begins a rule, or ends the one of the lone quote.
    private static bool MayBeRemoved(ReadOnlySpan<char> text, int space) =>
        ".?!,'n".Contains(text[space + 1], StringComparison.Ordinal) || (space > 0 && text[space - 1] == '\'');

    private static StringBuilder Start(string text) =>
        new StringBuilder(text).Replace(" .", ".").Replace(" ?", "?").Replace(" !", "!").Replace(" ,", ",").Replace(" ' ", "'");
}
