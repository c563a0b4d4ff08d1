"""Why a plan is as it is: facts and numbers that the documents or a re-solve give, never words.

Every statement carries what a sentence about it needs; the sentences stand in the pages' message catalogues.
"""
