namespace ManagedTransformers.Tokenizers.Tests;

/// <summary>Directories that are not what they seem: nothing outside is read, and nothing waits.</summary>
public sealed class DirectoryTests
{
    private string _directory = null!;
    private string _tokenizer = null!;

    [SetUp]
    public void Create()
    {
        _directory = Directory.CreateTempSubdirectory("tokenizer-").FullName;
        _tokenizer = Directory.CreateDirectory(Path.Combine(_directory, "inside")).FullName;
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json"])
            File.Copy(Path.Combine(TestFiles.Tokenizer("roberta-code-8k"), file), Path.Combine(_tokenizer, file));
    }

    [TearDown]
    public void Delete() => Directory.Delete(_directory, recursive: true);

    [TestCase("tokenizer.json")]
    [TestCase("tokenizer_config.json")]
    public void Nothing_is_read_through_a_link_that_leads_out_of_the_directory(string file)
    {
        string outside = Path.Combine(_directory, "outside.json");
        File.Move(Path.Combine(_tokenizer, file), outside);
        File.CreateSymbolicLink(Path.Combine(_tokenizer, file), outside);
        AssertRefused($"{file} is a link to {outside}, outside the directory");
    }

    [Test]
    public void A_link_that_leads_nowhere_is_named()
    {
        File.Delete(Path.Combine(_tokenizer, "tokenizer_config.json"));
        File.CreateSymbolicLink(Path.Combine(_tokenizer, "tokenizer_config.json"), "missing.json");
        AssertRefused("tokenizer_config.json cannot be read");
    }

    [Test]
    public void A_link_inside_the_directory_is_followed()
    {
        File.Move(Path.Combine(_tokenizer, "tokenizer.json"), Path.Combine(_tokenizer, "1234"));
        File.CreateSymbolicLink(Path.Combine(_tokenizer, "tokenizer.json"), "1234");
        Assert.That(Tokenizer.Load(_tokenizer).VocabularySize, Is.EqualTo(8192));
    }

    [Test]
    public void A_snapshot_of_the_hubs_cache_reads_its_blobs()
    {
        string repository = Directory.CreateDirectory(Path.Combine(_directory, "models--org--name")).FullName;
        string snapshot = Directory.CreateDirectory(Path.Combine(repository, "snapshots", "abc")).FullName;
        Directory.CreateDirectory(Path.Combine(repository, "blobs"));
        File.Move(Path.Combine(_tokenizer, "tokenizer.json"), Path.Combine(repository, "blobs", "1234"));
        File.CreateSymbolicLink(Path.Combine(snapshot, "tokenizer.json"), Path.Combine("..", "..", "blobs", "1234"));
        Assert.That(Tokenizer.Load(snapshot).VocabularySize, Is.EqualTo(8192));
    }

    [Test]
    public void A_directory_in_place_of_a_file_is_refused()
    {
        File.Delete(Path.Combine(_tokenizer, "tokenizer_config.json"));
        Directory.CreateDirectory(Path.Combine(_tokenizer, "tokenizer_config.json"));
        AssertRefused("tokenizer_config.json is a directory");
    }

    private void AssertRefused(string says) => Assert.That(() => Tokenizer.Load(_tokenizer), Throws.TypeOf<TokenizerException>().With.Message.Contains(says));
}
