namespace ManagedTransformers.Testing;

/// <summary>Tests that run a document's samples: in the repository's root, as a reader would, with what they print kept.</summary>
[NonParallelizable]
public abstract class DocumentTest
{
    private string _directory = "";
    private TextWriter _console = TextWriter.Null;

    /// <summary>What was printed.</summary>
    protected StringWriter Output { get; private set; } = new();

    [SetUp]
    public void RunInTheRepository()
    {
        (_directory, _console, Output) = (Environment.CurrentDirectory, Console.Out, new StringWriter());
        Environment.CurrentDirectory = RepositoryRoot.Path;
        Console.SetOut(Output);
    }

    [TearDown]
    public void GoBack()
    {
        Environment.CurrentDirectory = _directory;
        Console.SetOut(_console);
        Output.Dispose();
    }
}
