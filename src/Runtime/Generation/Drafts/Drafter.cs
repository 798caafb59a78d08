namespace ManagedTransformers;

/// <summary>Guesses tokens ahead. The model reads them together with the row's last token, in one pass, and keeps those that it would have chosen
/// itself.</summary>
/// <remarks>Leviathan et al. 2023, arXiv:2211.17192. There a draft is accepted at random, so that the distribution stays; here the model chooses its own token
/// with the noise of the place (<see cref="TokenNoise"/>) and a draft counts where it is the same. That keeps not only the distribution but the text
/// itself.</remarks>
internal abstract class Drafter : IDisposable
{
    /// <summary>Guesses what follows a row's last token.</summary>
    /// <returns>How many tokens it guesses; 0 where it has no idea.</returns>
    public abstract int Draft(SearchRow row, Span<int> tokens, CancellationToken cancellationToken);

    /// <summary>Hears how many of the tokens that it drafted the model agreed with.</summary>
    public abstract void Learn(SearchRow row, int drafted, int agreed);

    public abstract void Dispose();
}
