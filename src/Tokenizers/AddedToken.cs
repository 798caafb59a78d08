using System.Diagnostics;

namespace ManagedTransformers.Tokenizers;

/// <summary>A token that is found in the text as a whole, before the model splits the rest; Hugging Face's AddedToken.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
[DebuggerDisplay("{Id}: {Content}")]
public sealed record AddedToken(int Id, string Content)
{
    /// <summary>Left out when decoding with <see cref="DecodeOptions.SkipSpecialTokens"/>.</summary>
    public bool Special { get; init; }

    /// <summary>Searched for in the normalised text (true) or in the text as given (false).</summary>
    public bool Normalized { get; init; }

    /// <summary>Takes the white space on its left with it.</summary>
    public bool LStrip { get; init; }

    /// <summary>Takes the white space on its right with it.</summary>
    public bool RStrip { get; init; }

    /// <summary>Found only where no word character stands next to it.</summary>
    public bool SingleWord { get; init; }
}
